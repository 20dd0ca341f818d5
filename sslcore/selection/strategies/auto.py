"""Strategy ``auto``: cover the pool; with labels, samples that a classifier is unsure of count more.

Three papers, and nothing to tune between them:

- The first picks of a batch, up to `TOGETHER`, are placed together: k-means around what is labelled, the
  candidate nearest to each centre (Pourahmadi et al., 2021, https://arxiv.org/abs/2110.12033). With few
  picks, one that was right alone is wrong beside the next ones, and greedy coverage cannot take it back.
- The picks after them are greedy: each adds most to the coverage of the pool (Bae, Noh & Sutherland, ECCV
  2024, https://arxiv.org/abs/2407.12212). The kernel's width there is 1; here it is the root mean squared
  distance of the pool to what is chosen or labelled, taken anew when half as many again are chosen.
- Once two classes are known, each sample counts in both as much as a classifier is unsure of it (Bae,
  Oliveira & Sutherland, ICLR 2025, https://arxiv.org/abs/2412.20644): 1 - (p1 - p2) to a power, which is 1
  for one label per class and 1 more each time there are `TENFOLD` as many, so that coverage gives way to
  uncertainty as the classifier comes to know what it does not know.

Shapes: P candidates, N vectors.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.head import known_labels, predictions
from sslcore.selection.herding import Herding
from sslcore.selection.kernel_coverage import MOST_CANDIDATES, Coverage, bytes_needed, drawn
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.placing import place
from sslcore.selection.pool import Pool
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY", "pick"]

TOGETHER = 100
# Of a larger pool, so many candidates are drawn to be placed among.
MOST_PLACED = 4 * MOST_CANDIDATES
GROWTH = 1.5
TENFOLD = 10.0


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick ``k`` candidates: placed together, then greedily.

    Args:
        pool: With probs or labels of two classes at least, or neither.
        k: How many.
        seed: Seed of the first centres, and of the sample drawn from a large pool.

    Returns:
        Picks with the columns ``group_share`` (of all weight, in the group of a placed pick; NaN for the
        others), ``coverage_gain`` (of a greedy pick; NaN for the others) and ``margin`` (NaN where nothing
        predicts).
    """
    close_N = margin(predictions(pool)) if pool.has("predictions") else None
    weights_N = None if close_N is None else close_N ** _power(pool)
    few = replace(pool, candidates=drawn(pool.candidates, MOST_PLACED, np.random.default_rng(seed)))
    places, shares = place(
        few,
        min(k, TOGETHER),
        seed=seed,
        weights_P=None if weights_N is None else weights_N[few.candidates],
    )
    placed = _placed(few, places, shares, close_N)
    if len(placed) == k:
        return placed
    rest = replace(
        pool,
        candidates=np.setdiff1d(pool.candidates, placed.indices),
        labelled=np.union1d(pool.labelled, placed.indices),
    )
    return placed.then(_greedy(rest, k - len(placed), seed, weights_N, close_N))


def _power(pool: Pool) -> float:
    """Return the power of the uncertainty: 1 for a label per class, 2 for ten, 3 for a hundred."""
    _, labels = known_labels(pool)
    per_class = len(labels) / max(len(np.unique(labels)), 1)
    return 1 + math.log(max(per_class, 1.0), TENFOLD)


def _placed(
    pool: Pool, places: NDArray[np.int64], shares: NDArray[np.float64], close_N: NDArray[np.float64] | None
) -> Picks:
    indices = pool.candidates[places]
    none = np.full(len(places), math.nan)
    reasons = []
    for position, share in zip(indices, shares, strict=True):
        text = f"nearest to the centre of a group that is {100 * share:.2g} % of what is not covered yet"
        if close_N is not None:
            text += f", weighted by uncertainty; its own margin is {1 - close_N[position]:.2f}"
        reasons.append(text)
    close = none if close_N is None else close_N[indices]
    columns = {"group_share": shares, "coverage_gain": none, "margin": close}
    return Picks(indices, tuple(reasons), columns)


def _greedy(
    pool: Pool,
    k: int,
    seed: int,
    weights_N: NDArray[np.float64] | None,
    close_N: NDArray[np.float64] | None,
) -> Picks:
    """Pick by coverage, the kernel narrowing as picks come."""
    coverage = Coverage(pool, seed=seed, width=_spread(pool), weights_N=weights_N)
    herding, taken = Herding(pool, coverage, close_N), list[Picks]()
    chosen, left = len(pool.labelled), k
    while left:
        mean = coverage.mean_square()
        # Where everything is covered by copies of it, any width does.
        if math.isfinite(mean) and mean > 0:
            coverage.narrow(math.sqrt(mean))
        step = min(left, max(1, math.ceil(chosen * GROWTH) - chosen))
        taken.append(herding.take(step))
        chosen, left = chosen + step, left - step
    whole = taken[0]
    for more in taken[1:]:
        whole = whole.then(more)
    gains, close = whole.columns["coverage_gain"], whole.columns["margin"]
    columns = {"group_share": np.full(k, math.nan), "coverage_gain": gains, "margin": close}
    return Picks(whole.indices, whole.reasons, columns)


def _spread(pool: Pool) -> float:
    """Return the root mean squared distance of all vectors to their mean; 1 where there is none."""
    total, squared = np.zeros(pool.vectors.dim), float(pool.vectors.squared.mean())
    for _, block in pool.vectors.blocks():
        total += block.sum(axis=0, dtype=np.float64)
    mean: NDArray[np.float64] = total / len(pool)
    spread = squared - float(mean @ mean)
    return math.sqrt(spread) if spread > 1e-12 * squared else 1.0


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: the drawn vectors in float64 and their distances; then a coverage."""
    num = min(len(pool.candidates), MOST_PLACED)
    placed = 16 * num * pool.vectors.dim + 24 * min(num * TOGETHER, 8_000_000)
    return max(placed, bytes_needed(pool) if k > TOGETHER else 0)


STRATEGY = Strategy(
    about="the default: k-means around what is labelled, then coverage; unsure samples count more"
    " (after Bae et al. 2025, arxiv.org/abs/2412.20644)",
    pick=pick,
    estimate=_estimate,
)
