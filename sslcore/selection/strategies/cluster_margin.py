"""Strategy ``cluster_margin``: the smallest margins, taken in turn from clusters, small clusters first.

Source: Citovsky et al., "Batch Active Learning at Scale", NeurIPS 2021, https://arxiv.org/abs/2107.14263.
Average-link clustering; the 10 k smallest margins; then one from each cluster in turn, from the smallest to
the largest, until there are k. Differs: only the 10 k candidates are clustered, into k clusters (ten to
each, as in the paper), where the paper clusters the whole pool once; and of a cluster the smallest margin
comes first, where the paper draws.

Shapes: N vectors, C classes.
"""

import numpy as np

from sslcore.selection.head import pool_head, predictions, scaled, steady
from sslcore.selection.linkage import average_link
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
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
    at, x_ND = pool.candidates, scaled(pool)
    p_NC = predictions(pool) if pool.probs is not None else steady(pool_head(pool, x_ND).probs(x_ND))
    close_N = margin(p_NC)
    order = at[np.lexsort((at, -close_N[at]))][: CANDIDATES_PER_PICK * k]
    cluster = average_link(x_ND[order], min(k, len(order)))
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
    """Return bytes: the distances between the candidates, and the vectors in float64."""
    clustered = min(CANDIDATES_PER_PICK * k, len(pool.candidates))
    return 4 * clustered**2 + 16 * len(pool) * pool.vectors.dim


STRATEGY = Strategy(
    about="the smallest margins in turn from average-link clusters"
    " (Citovsky et al. 2021, arxiv.org/abs/2107.14263)",
    pick=pick,
    needs=frozenset({"predictions"}),
    estimate=_estimate,
)
