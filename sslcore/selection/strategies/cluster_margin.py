"""Strategy ``cluster_margin``: the smallest margins, taken in turn from clusters, small clusters first.

Source: Citovsky et al., "Batch Active Learning at Scale", NeurIPS 2021, https://arxiv.org/abs/2107.14263.
Average-link clustering; the 10 k smallest margins; then one from each cluster in turn, from the smallest to
the largest, until there are k. Differs: only the 10 k candidates are clustered, into k clusters (ten to
each, as in the paper), where the paper clusters the whole pool once; and of a cluster the smallest margin
comes first, where the paper draws.

Shapes: N vectors, C classes.
"""

import numpy as np

from sslcore.selection.head import head_bytes, pool_head, predicted, predictions
from sslcore.selection.linkage import average_link
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled, measured
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY", "pick"]

CANDIDATES_PER_PICK = 10


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick ``k`` small margins, in turn from the clusters of the smallest.

    Args:
        pool: With probs, or labels of two classes at least, on which a head is fitted.
        k: How many.
        seed: Not used.

    Returns:
        Picks with the columns ``margin`` (1 - (p1 - p2)) and ``cluster_size``.

    Raises:
        UserError: If there are neither.
    """
    del seed
    at, x = pool.candidates, Scaled(pool)
    p_NC = predictions(pool) if pool.probs is not None else predicted(x, [pool_head(pool, x)])[0]
    close_N = measured(margin, p_NC)
    order = at[np.lexsort((at, -close_N[at]))][: CANDIDATES_PER_PICK * k]
    cluster = average_link(x[order], min(k, len(order)))
    sizes = np.bincount(cluster)
    turn = np.empty(len(order), np.int64)  # how many of its cluster come before it
    for each in range(len(sizes)):
        turn[cluster == each] = np.arange(sizes[each])
    chosen = np.lexsort((np.arange(len(order)), cluster, sizes[cluster], turn))[:k]
    picked, of_cluster = order[chosen], sizes[cluster[chosen]]
    reasons = tuple(
        f"a close call (margin {1 - close_N[position]:.2f}) from a cluster of {size} such samples"
        for position, size in zip(picked, of_cluster, strict=True)
    )
    return Picks(picked, reasons, {"margin": close_N[picked], "cluster_size": of_cluster})


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: the probabilities; of what is clustered the distances, blocks of them, and vectors."""
    clustered = min(CANDIDATES_PER_PICK * k, len(pool.candidates))
    blocks = 4 * 8 * min(1024, clustered) * clustered
    return head_bytes(pool) + 4 * clustered**2 + blocks + clustered * (8 * pool.vectors.dim + 300)


STRATEGY = Strategy(
    about="the smallest margins in turn from average-link clusters"
    " (Citovsky et al. 2021, arxiv.org/abs/2107.14263)",
    pick=pick,
    needs=frozenset({"predictions"}),
    estimate=_estimate,
)
