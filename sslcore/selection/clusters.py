"""k-means whose groups do not depend on threads, seeded by distance, until hardly any row moves.

Seeding is that of Arthur & Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007, in
rounds: each draws a sixteenth of the centres at once, as in Bahmani et al., "Scalable k-means++", 2012,
https://arxiv.org/abs/1203.6402, so that it is a few products of matrices instead of one pass per centre.
With many rows per centre the centres are found on a sample of them, and every row is assigned once. Rows
may have weights, as in Prabhu et al., ICCV 2021, https://arxiv.org/abs/2010.08666, and centres may be kept
at unit length: spherical k-means (Dhillon & Modha, "Concept Decompositions for Large Sparse Text Data Using
Clustering", Machine Learning 42, 2001), where a group's spread does not decide how far it reaches.

Shapes: n rows, K centres, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.nearest import NONE, Points, nearest_points
from sslcore.selection.screen import Screen

__all__ = ["COVERED", "Clusters", "cluster", "lloyd", "means", "nearest_members"]

MAX_ITERATIONS = 50
# Stop when less than this share of the rows changes its group.
MOVING = 0.005
# Rows per centre that are enough to find the centres.
SAMPLE = 256
ROUNDS = 16
# Group of a row that something else covers.
COVERED = NONE


@dataclass(frozen=True)
class Clusters:
    """Groups of rows."""

    centres: NDArray[np.float64]
    """[K, D]; K may be less than was asked for, where there are fewer different rows."""
    group: NDArray[np.int64]
    """Number of the nearest centre, `COVERED` for what something else covers [n]."""
    squared: NDArray[np.float64]
    """Exact squared distance to it [n]."""


def cluster(
    screen: Screen,
    positions: NDArray[np.int64],
    k: int,
    *,
    rng: np.random.Generator,
    covered: NDArray[np.float64] | None = None,
    weights: NDArray[np.float64] | None = None,
    starts: int = 1,
    sample: int | None = None,
    on_sphere: bool = False,
) -> Clusters:
    """Group some vectors around at most ``k`` centres.

    Args:
        screen: Of the vectors.
        positions: Which vectors [n].
        k: How many centres, at least 1.
        rng: Chance of the first centres and of the sample.
        covered: Squared distance to something that never moves and wins ties [n].
        weights: What each vector counts, at least 0 [n]; None counts all as 1.
        starts: Of so many, the one with the least sum of weighted squared distances is kept.
        sample: Rows per centre that are enough to find the centres; None is `SAMPLE`.
        on_sphere: Whether centres are of unit length; for vectors that are.
    """
    enough = (SAMPLE if sample is None else sample) * k
    some = np.arange(len(positions))
    if len(positions) > enough:
        some = np.sort(rng.choice(len(positions), enough, replace=False))
    free = np.full(len(positions), np.inf) if covered is None else covered
    part = None if weights is None else weights[some]
    best: tuple[float, Clusters] | None = None
    for _ in range(starts):
        found = _start(screen, positions[some], k, rng, free[some], part, on_sphere)
        error = float((found.squared if part is None else found.squared * part).sum())
        if best is None or error < best[0] * (1 - 1e-9):
            best = error, found
    assert best is not None
    found = best[1]
    if len(some) < len(positions):
        squared, group = free, np.full(len(positions), COVERED, np.int64)
        if len(found.centres):
            squared, group = nearest_points(screen, positions, Points(screen, found.centres), best=free)
        found = Clusters(found.centres, group, squared)
    return found


def nearest_members(
    found: Clusters, weights: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return of each group the row nearest to its centre, the heaviest group first, and its weight.

    Args:
        found: Groups of rows; those that are `COVERED` are in none.
        weights: Of the rows [n]; None weighs all 1.

    Returns:
        Rows, none twice, and the sum of weights in the group of each; ties go to the lowest row.
    """
    group, squared = found.group, found.squared
    order = np.lexsort((np.arange(len(group)), squared, group))
    order = order[group[order] != COVERED]
    if not len(order):
        return np.empty(0, np.int64), np.empty(0)
    _, starts, sizes = np.unique(group[order], return_index=True, return_counts=True)
    heavy = sizes.astype(np.float64) if weights is None else np.add.reduceat(weights[order], starts)
    by_weight = np.lexsort((order[starts], -heavy))
    return order[starts][by_weight], heavy[by_weight]


def _start(
    screen: Screen,
    positions: NDArray[np.int64],
    k: int,
    rng: np.random.Generator,
    free: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    on_sphere: bool,
) -> Clusters:
    centres = screen.vectors.exact(_seed(screen, positions, free, k, rng, weights))
    if not len(centres):
        return Clusters(centres, np.full(len(positions), COVERED, np.int64), free)
    group, squared, centres = lloyd(screen, positions, centres, free, weights=weights, on_sphere=on_sphere)
    return Clusters(centres, group, squared)


def _seed(
    screen: Screen,
    positions: NDArray[np.int64],
    covered: NDArray[np.float64],
    k: int,
    rng: np.random.Generator,
    weights: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """Draw up to ``k`` rows, each by its weight times its squared distance to what is drawn or covered."""
    drawn: list[NDArray[np.int64]] = []
    best, count = covered, 0
    while count < k:
        first = len(best) > 0 and bool(np.isinf(best[0]))
        if first and weights is None:
            rows = rng.integers(len(best), size=1)
        else:
            shares = best if weights is None else weights if first else weights * best
            cumulated = np.cumsum(shares)
            if len(best) == 0 or cumulated[-1] == 0:
                break  # every row that weighs anything is a copy of one that is drawn or covered
            wanted = 1 if first else min(max(1, k // ROUNDS), k - count)
            rows = np.unique(
                np.searchsorted(cumulated, rng.random(wanted) * cumulated[-1], side="right").clip(
                    max=len(best) - 1
                )
            )
        new = positions[rows]
        best, which = nearest_points(screen, positions, Points(screen, new), best=best)
        # The copies that were drawn together are nearest to the first of them.
        new = new[which[rows] == np.arange(len(rows))]
        drawn.append(new)
        count += len(new)
    return np.concatenate(drawn) if drawn else np.empty(0, np.int64)


def lloyd(
    screen: Screen,
    positions: NDArray[np.int64],
    centres: NDArray[np.float64],
    covered: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | None = None,
    moving: float = MOVING,
    on_sphere: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Move centres to the means of their rows until hardly any row changes its group.

    Args:
        screen: Of the vectors.
        positions: Which vectors [n].
        centres: Where to begin, at least one [K, D].
        covered: Squared distance to something that never moves and wins ties [n].
        weights: What each vector counts, at least 0 [n]; None counts all as 1.
        moving: Stop when at most this share changes its group.
        on_sphere: Whether means are stretched to unit length; one of length 0 stays.

    Returns:
        Group of each row [n], its exact squared distance to it [n], and the centres [K, D].
    """
    group = np.full(len(positions), COVERED, np.int64)
    for iteration in range(MAX_ITERATIONS):
        _, new = nearest_points(screen, positions, Points(screen, centres), best=covered, exact=False)
        changed = int((new != group).sum())
        group = new
        if changed <= int(moving * len(positions)) or iteration == MAX_ITERATIONS - 1:
            break
        centres = means(screen, positions, group, centres, covered, weights)
        if on_sphere:
            lengths = np.linalg.norm(centres, axis=1, keepdims=True)
            centres = centres / np.where(lengths > 0, lengths, 1.0)
    return group, _exact(screen, positions, group, centres, covered), centres


def means(
    screen: Screen,
    positions: NDArray[np.int64],
    group: NDArray[np.int64],
    centres: NDArray[np.float64],
    covered: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the weighted mean of each group; one without weight moves to the row farthest off its centre."""
    sums, sizes = np.zeros_like(centres), np.zeros(len(centres))
    for start in range(0, len(positions), screen.vectors.rows_at_once):
        # Sorted and summed group by group: one thread and a fixed order, unlike a product with one-hot rows.
        # (np.add.reduceat takes two to seven times as long.)
        part = group[start : start + screen.vectors.rows_at_once]
        order = np.argsort(part, kind="stable")
        order = order[np.searchsorted(part[order], 0) :]
        if len(order):
            groups, starts = np.unique(part[order], return_index=True)
            x = screen.vectors.exact(positions[start + order])
            heavy = np.ones(len(order)) if weights is None else weights[start + order]
            if weights is not None:
                x *= heavy[:, None]
            ends = np.append(starts[1:], len(order))
            for each, first, end in zip(groups, starts, ends, strict=True):
                sums[each] += x[first:end].sum(axis=0)
            sizes[groups] += np.add.reduceat(heavy, starts)
    empty = np.flatnonzero(sizes == 0)
    moved = sums / np.where(sizes > 0, sizes, 1.0)[:, None]
    if len(empty):
        squared = _exact(screen, positions, group, centres, covered)
        far = squared if weights is None else squared * weights
        farthest = np.argsort(-far, kind="stable")[: len(empty)]
        moved[empty] = centres[empty]
        moved[empty[: len(farthest)]] = screen.vectors.exact(positions[farthest])
    return np.asarray(moved)


def _exact(
    screen: Screen,
    positions: NDArray[np.int64],
    group: NDArray[np.int64],
    centres: NDArray[np.float64],
    covered: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the exact squared distance of each row to the centre of its group, or to what covers it."""
    squared = covered.copy()
    own = np.flatnonzero(group != COVERED)
    for start in range(0, len(own), screen.vectors.rows_at_once):
        rows = own[start : start + screen.vectors.rows_at_once]
        squared[rows] = screen.exact_to(positions[rows], centres[group[rows]])
    return squared
