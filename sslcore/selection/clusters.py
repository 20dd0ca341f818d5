"""k-means whose groups do not depend on threads, seeded by distance, until hardly any row moves.

Seeding is that of Arthur & Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007, in
rounds: each draws a sixteenth of the centres at once, as in Bahmani et al., "Scalable k-means++", 2012,
https://arxiv.org/abs/1203.6402, so that it is a few products of matrices instead of one pass per centre.
With many rows per centre the centres are found on a sample of them, and every row is assigned once.

Shapes: n rows, K centres, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.nearest import NONE, Points, nearest_points
from sslcore.selection.screen import Screen

__all__ = ["COVERED", "Clusters", "cluster", "lloyd", "means"]

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
) -> Clusters:
    """Group some vectors around at most ``k`` centres.

    Args:
        screen: Of the vectors.
        positions: Which vectors [n].
        k: How many centres, at least 1.
        rng: Chance of the first centres and of the sample.
        covered: Squared distance to something that never moves and wins ties [n].
    """
    some = np.arange(len(positions))
    if len(positions) > SAMPLE * k:
        some = np.sort(rng.choice(len(positions), SAMPLE * k, replace=False))
    free = np.full(len(positions), np.inf) if covered is None else covered
    seeds = _seed(screen, positions[some], free[some], k, rng)
    centres = screen.vectors.exact(seeds)
    group, squared = np.full(len(positions), COVERED, np.int64), free
    if len(centres):
        group, squared, centres = lloyd(screen, positions[some], centres, free[some])
        if len(some) < len(positions):
            squared, group = nearest_points(screen, positions, Points(screen, centres), best=free)
    return Clusters(centres, group, squared)


def _seed(
    screen: Screen,
    positions: NDArray[np.int64],
    covered: NDArray[np.float64],
    k: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw up to ``k`` rows, each in proportion to its squared distance to what is drawn or covered."""
    drawn: list[NDArray[np.int64]] = []
    best, count = covered, 0
    while count < k:
        if len(best) and np.isinf(best[0]):
            rows = rng.integers(len(best), size=1)
        else:
            cumulated = np.cumsum(best)
            if len(best) == 0 or cumulated[-1] == 0:
                break  # every row is a copy of one that is drawn or covered
            wanted = min(max(1, k // ROUNDS), k - count)
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
    moving: float = MOVING,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Move centres to the means of their rows until hardly any row changes its group.

    Args:
        screen: Of the vectors.
        positions: Which vectors [n].
        centres: Where to begin, at least one [K, D].
        covered: Squared distance to something that never moves and wins ties [n].
        moving: Stop when at most this share changes its group.

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
        centres = means(screen, positions, group, centres, covered)
    return group, _exact(screen, positions, group, centres, covered), centres


def means(
    screen: Screen,
    positions: NDArray[np.int64],
    group: NDArray[np.int64],
    centres: NDArray[np.float64],
    covered: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean of each group; a group without rows moves to the row farthest from its centre."""
    sums, sizes = np.zeros_like(centres), np.bincount(group[group != COVERED], minlength=len(centres))
    for start in range(0, len(positions), screen.vectors.rows_at_once):
        # Sorted and summed by reduceat: one thread and a fixed order, unlike a product with one-hot rows.
        part = group[start : start + screen.vectors.rows_at_once]
        order = np.argsort(part, kind="stable")
        order = order[np.searchsorted(part[order], 0) :]
        if len(order):
            groups, starts = np.unique(part[order], return_index=True)
            x = screen.vectors.exact(positions[start + order])
            sums[groups] += np.add.reduceat(x, starts, axis=0)
    moved = sums / np.maximum(sizes, 1)[:, None]
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        squared = _exact(screen, positions, group, centres, covered)
        farthest = np.argsort(-squared, kind="stable")[: len(empty)]
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
