"""Strategy ``auto``: cover the pool; with labels, samples that a classifier is unsure of count more.

Three papers, and a few constants between them that were set on CIFAR-10 (docs/selection.md says how it does
there, and where it is behind: for a nearest neighbour `kmeans` is better with 1,000 labels):

- Up to `TOGETHER` labels, and `FEW` of a class, picks are placed together: the pool is grouped anew by
  k-means (spherical where vectors are of unit length), with a group for every label that there is or will
  be, the best of many starts; the largest groups without a label give the candidate nearest to their centre
  (Pourahmadi et al., 2021, https://arxiv.org/abs/2110.12033; groups as in Hacohen et al., ICML 2022,
  https://arxiv.org/abs/2202.02794). With few picks, one that was right alone is wrong beside the next ones,
  and greedy coverage cannot take it back.
- With more labels, the first picks of a batch, up to `TOGETHER`, are placed by k-means around what is
  labelled, which does not move.
- The picks after them are greedy: each adds most to the coverage of the pool (Bae, Noh & Sutherland, ECCV
  2024, https://arxiv.org/abs/2407.12212). The kernel's width there is 1; here it is the root mean squared
  distance of the pool to what is chosen or labelled, taken anew when half as many again are chosen.
- From then on each sample counts in both as much as a classifier is unsure of it (Bae, Oliveira &
  Sutherland, ICLR 2025, https://arxiv.org/abs/2412.20644): 1 - (p1 - p2), there to the power 1, here to
  `LEAST_POWER` until there are `GROWS_FROM` labels of a class, then in proportion to them: coverage gives
  way to uncertainty as the classifier comes to know what it does not know.

Shapes: P candidates, N vectors.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.clusters import Clusters, cluster, lloyd, nearest_members
from sslcore.selection.copies import find_copies
from sslcore.selection.coverage import gaussian
from sslcore.selection.covering import (
    FEW_CANDIDATES,
    FEW_REFERENCES,
    Covering,
    covering_bytes,
    drawn,
    kernel_width,
)
from sslcore.selection.head import head_bytes, known_labels, predictions
from sslcore.selection.herding import Herding
from sslcore.selection.nearest import Points, nearest_points
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import measured
from sslcore.selection.scorers.probabilities import margin
from sslcore.selection.screen import Screen
from sslcore.selection.vectors import Vectors

__all__ = ["STRATEGY", "pick"]

TOGETHER = 100
FEW = 10
STARTS = 3
# With few groups there are more starts, on so many vectors per group.
MANY_STARTS, ROWS = 300, 512
# Squared lengths of unit vectors are so close to 1, whatever they were rounded to.
UNIT_WITHIN = 5e-3
# Of a larger pool, so many candidates are drawn to be placed among.
MOST_PLACED = 65536
GROWTH = 1.5
LEAST_POWER, MOST_POWER, GROWS_FROM = 0.25, 3.0, 50


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
    close_N, weights_N = np.full(len(pool), math.nan), None
    if pool.has("predictions"):
        close_N = measured(margin, predictions(pool))
        # Where all are certain, all count alike.
        weights_N = close_N ** _power(pool) if close_N[pool.candidates].any() else None
    if len(pool.labelled) + k <= TOGETHER and _labels_per_class(pool) < FEW:
        picks = _place_anew(pool, k, seed, close_N)
    else:
        picks = _place(pool, min(k, TOGETHER), seed, weights_N, close_N)
    while len(picks) < k:
        rest = replace(
            pool,
            candidates=np.setdiff1d(pool.candidates, picks.indices),
            labelled=np.union1d(pool.labelled, picks.indices),
        )
        chosen = len(rest.labelled)
        step = min(k - len(picks), max(1, math.ceil(chosen * GROWTH) - chosen))
        picks = picks.then(_cover(rest, step, seed, weights_N, close_N))
    return picks


def _power(pool: Pool) -> float:
    """Return the power of the uncertainty: 0.25 up to 50 labels of a class, then 0.5 for 100 and so on."""
    grown = LEAST_POWER * _labels_per_class(pool) / GROWS_FROM
    return min(max(LEAST_POWER, grown), MOST_POWER)


def _labels_per_class(pool: Pool) -> float:
    _, labels = known_labels(pool)
    return len(labels) / max(len(np.unique(labels)), 1)


def _place_anew(pool: Pool, k: int, seed: int, close_N: NDArray[np.float64]) -> Picks:
    """Pick at the centres of the largest groups without a label; fewer than ``k`` where there are copies."""
    rng = np.random.default_rng(seed)
    some = np.union1d(drawn(pool.candidates, MOST_PLACED, rng), pool.labelled)
    found = _groups(pool.vectors, some, len(pool.labelled) + k, rng)
    sizes = np.bincount(found.group, minlength=len(found.centres))
    is_labelled = np.isin(some, pool.labelled)
    num_labelled = np.bincount(found.group[is_labelled], minlength=len(found.centres))
    rows = np.flatnonzero(~is_labelled & ~np.isin(some, find_copies(pool)))
    by_group = rows[np.lexsort((rows, found.squared[rows], found.group[rows]))]
    groups, firsts = np.unique(found.group[by_group], return_index=True)
    order = np.lexsort((firsts, -sizes[groups], num_labelled[groups]))[:k]
    groups, indices = groups[order], some[by_group[firsts[order]]]
    shares = sizes[groups] / len(some)
    reasons = []
    for position, share, num in zip(indices, shares, num_labelled[groups], strict=True):
        text = f"nearest to the centre of a group of {100 * share:.2g} % of the pool"
        text += f", {num or 'none'} of it labelled"
        if not math.isnan(close_N[position]):
            text += f"; its own margin is {1 - close_N[position]:.2f}"
        reasons.append(text)
    return _placed(indices, shares, reasons, close_N)


def _groups(vectors: Vectors, positions: NDArray[np.int64], k: int, rng: np.random.Generator) -> Clusters:
    """Group some vectors, beginning with the best of many starts on a few; unit vectors on their sphere."""
    on_sphere = bool((np.abs(vectors.squared[positions] - 1) < UNIT_WITHIN).all())
    screen = Screen(vectors, longest=1.0 if on_sphere else 0.0)
    few, starts = drawn(positions, ROWS * k, rng), max(STARTS, MANY_STARTS // k)
    found = cluster(screen, few, k, rng=rng, starts=starts, sample=ROWS, on_sphere=on_sphere)
    free = np.full(len(positions), np.inf)
    group, squared, centres = lloyd(screen, positions, found.centres, free, on_sphere=on_sphere)
    return Clusters(centres, group, squared)


def _place(
    pool: Pool, k: int, seed: int, weights_N: NDArray[np.float64] | None, close_N: NDArray[np.float64]
) -> Picks:
    """Pick what is nearest to the centres of groups; there may be fewer than ``k``, but for copies."""
    rng, screen = np.random.default_rng(seed), Screen(pool.vectors)
    some = drawn(pool.candidates, MOST_PLACED, rng)
    covered = None
    if len(pool.labelled):
        covered, _ = nearest_points(screen, some, Points(screen, pool.labelled))
    weights = None if weights_N is None else weights_N[some]
    found = cluster(
        screen, some, k, rng=rng, covered=covered, weights=weights, starts=STARTS, sample=MOST_PLACED
    )
    places, heavy = nearest_members(found, weights)
    indices, shares = some[places], heavy / (len(some) if weights is None else max(weights.sum(), 1e-300))
    reasons = []
    for position, share in zip(indices, shares, strict=True):
        text = f"nearest to the centre of a group that is {100 * share:.2g} % of what is not covered yet"
        if not math.isnan(close_N[position]):
            text += f", weighted by uncertainty; its own margin is {1 - close_N[position]:.2f}"
        reasons.append(text)
    return _placed(indices, shares, reasons, close_N)


def _placed(
    indices: NDArray[np.int64], shares: NDArray[np.float64], reasons: list[str], close_N: NDArray[np.float64]
) -> Picks:
    columns = {
        "group_share": shares,
        "coverage_gain": np.full(len(indices), math.nan),
        "margin": close_N[indices],
    }
    return Picks(indices, tuple(reasons), columns)


def _cover(
    pool: Pool, k: int, seed: int, weights_N: NDArray[np.float64] | None, close_N: NDArray[np.float64]
) -> Picks:
    """Pick by coverage, with a kernel as wide as the pool is far from what is chosen."""
    screen = Screen(pool.vectors)
    some = drawn(pool.candidates, FEW_REFERENCES, np.random.default_rng(seed))
    width = kernel_width(pool)
    if len(pool.labelled):
        squared, _ = nearest_points(screen, some, Points(screen, pool.labelled))
        weights = np.ones(len(some)) if weights_N is None else weights_N[some]
        mean = float((squared * weights).sum()) / max(float(weights.sum()), 1e-300)
        # Where everything is covered by copies of it, any width does.
        width = math.sqrt(mean) if mean > 0 else width
    covering = Covering(
        pool,
        gaussian(width),
        seed=seed,
        weights_N=weights_N,
        references=FEW_REFERENCES,
        candidates=FEW_CANDIDATES,
    )
    picks = Herding(covering, close_N).take(k)
    columns = {"group_share": np.full(k, math.nan), **picks.columns}
    return Picks(picks.indices, picks.reasons, columns)


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: what a model says; of drawn vectors copies, groups and distances; a kernel."""
    num = min(len(pool.candidates), MOST_PLACED)
    placed = 24 * num * 4 + 16 * TOGETHER * pool.vectors.dim + 200_000_000
    covered = covering_bytes(pool, k, references=FEW_REFERENCES, candidates=FEW_CANDIDATES)
    return max(placed, covered if k > TOGETHER else 0, head_bytes(pool)) + 48 * len(pool)


STRATEGY = Strategy(
    about="the default: groups without labels, then coverage in which unsure samples count more"
    " (after Bae et al. 2025, arxiv.org/abs/2412.20644)",
    pick=pick,
    avoids_copies=True,
    estimate=_estimate,
)
