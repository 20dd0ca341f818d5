"""Strategy ``kmeans``: the real samples nearest to the centres of k groups.

Source: Pourahmadi et al., "A Simple Baseline for Low-Budget Active Learning", 2021,
https://arxiv.org/abs/2110.12033. Differs: labelled samples are centres that never move. A candidate that
is at least as near to a labelled sample as to any free centre is covered by it and belongs to no group,
so the k free centres go to what the labels do not cover yet, and no group holds a labelled sample.

Shapes: P candidates, L labelled, D dimensions.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.clusters import cluster, nearest_members
from sslcore.selection.copies import find_copies
from sslcore.selection.nearest import Points, nearest_points
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen

__all__ = ["STRATEGY", "pick"]


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Group the candidates around ``k`` centres and pick the member nearest to each.

    The largest group comes first, so that a prefix stands for most of the pool; ties go to the
    lowest id. Where there are fewer different samples than ``k``, the rest is what is farthest from
    the centres.

    Args:
        pool: What to pick from; labelled rows are centres that never move.
        k: How many, at most the candidates.
        seed: Seed of the first centres.

    Returns:
        Picks with the columns ``cluster_size`` (candidates in the group; 0 for what only fills the
        budget) and ``centre_distance`` (from the pick to the centre; NaN likewise).
    """
    screen, covered = Screen(pool.vectors), None
    if len(pool.labelled):
        covered, _ = nearest_points(screen, pool.candidates, Points(screen, pool.labelled))
    found = cluster(screen, pool.candidates, k, rng=np.random.default_rng(seed), covered=covered)
    rows, heavy = nearest_members(found)
    sizes = heavy.astype(np.int64)
    others = "none of them labelled yet" if len(pool.labelled) else "nothing is labelled yet"
    reasons = [f"nearest to the centre of a group of {size} samples, {others}" for size in sizes]
    # What is left over when there are fewer groups than picks: farthest from its centre first, copies last.
    left = np.setdiff1d(np.arange(len(pool.candidates)), rows)
    if len(rows) < k:
        copies = np.isin(pool.candidates[left], find_copies(pool))
        left = left[np.lexsort((-found.squared[left], copies))]
    left = left[: k - len(rows)]
    reasons += ["fills the budget: fewer different groups than samples to pick"] * len(left)
    indices: NDArray[np.int64] = pool.candidates[np.concatenate([rows, left])]
    columns = {
        "cluster_size": np.concatenate([sizes, np.zeros(len(left), np.int64)]),
        "centre_distance": np.concatenate([np.sqrt(found.squared[rows]), np.full(len(left), math.nan)]),
    }
    return Picks(indices=indices, reasons=tuple(reasons), columns=columns)


def _estimate(pool: Pool, k: int) -> int:
    # Distances and groups; centres in float64 and float32 and their sums; blocks.
    return 64 * len(pool.candidates) + 40 * k * pool.vectors.dim + 200_000_000


STRATEGY = Strategy(
    about="the samples nearest to the centres of k groups, largest first; good with few labels"
    " (Pourahmadi et al. 2021, arxiv.org/abs/2110.12033)",
    pick=pick,
    avoids_copies=True,
    estimate=_estimate,
)
