"""Strategy ``kmeans``: the real samples nearest to the centres of k groups.

Source: Pourahmadi et al., "A Simple Baseline for Low-Budget Active Learning", 2021,
https://arxiv.org/abs/2110.12033; seeding from Arthur & Vassilvitskii, "k-means++: The Advantages of
Careful Seeding", SODA 2007. Differs: labelled samples are centres that never move. A candidate that is
at least as near to a labelled sample as to any free centre is covered by it and belongs to no group,
so the k free centres go to what the labels do not cover yet, and no group holds a labelled sample.

O(P (k I + L) D) time for I iterations. Shapes: P candidates, L labelled, K free centres, D dimensions.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.distances import Distances
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "pick"]

MAX_ITERATIONS = 50
COVERED = -1


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Group the candidates around ``k`` centres and pick the member nearest to each.

    The largest group comes first, so that a prefix stands for most of the pool; ties go to the
    lowest row. Where there are fewer different samples than ``k``, the rest is what is farthest from
    the centres.

    Args:
        pool: What to pick from; labelled rows are centres that never move.
        k: How many, at most the candidates.
        seed: Seed of the first centres.

    Returns:
        Picks with the columns ``cluster_size`` (candidates in the group; 0 for what only fills the
        budget) and ``centre_distance`` (from the pick to the centre; NaN likewise).
    """
    x_PD = torch.from_numpy(pool.vectors.exact(pool.candidates))
    distances = Distances(x_PD)
    covered_P = torch.full((len(x_PD),), math.inf, dtype=torch.float64)
    if len(pool.labelled):
        covered_P, _ = distances.to_nearest(torch.from_numpy(pool.vectors.exact(pool.labelled)))
    centres_KD = _seed_centres(distances, covered_P, k, np.random.default_rng(seed))
    squared_P, group_P = _lloyd(distances, centres_KD, covered_P)
    positions, sizes = _nearest_members(squared_P, group_P)
    others = "none of them labelled yet" if len(pool.labelled) else "nothing is labelled yet"
    reasons = [f"nearest to the centre of a group of {size} samples, {others}" for size in sizes]
    # What is left over when there are fewer groups than picks, the farthest from its centre first.
    left = np.setdiff1d(np.arange(len(x_PD)), positions)
    left = left[np.argsort(-squared_P[left], kind="stable")][: k - len(positions)]
    reasons += ["fills the budget: fewer different groups than samples to pick"] * len(left)
    indices: NDArray[np.int64] = pool.candidates[np.concatenate([positions, left])]
    columns = {
        "cluster_size": np.concatenate([sizes, np.zeros(len(left), np.int64)]),
        "centre_distance": np.concatenate([np.sqrt(squared_P[positions]), np.full(len(left), math.nan)]),
    }
    return Picks(indices=indices, reasons=tuple(reasons), columns=columns)


def _seed_centres(distances: Distances, covered_P: Tensor, k: int, rng: np.random.Generator) -> Tensor:
    """Draw up to ``k`` rows, each in proportion to its squared distance to what is drawn or labelled."""
    drawn: list[int] = []
    best_P = covered_P.clone()
    for _ in range(k):
        if math.isinf(float(best_P[0])):
            position = int(rng.integers(len(best_P)))
        else:
            cumulated = np.cumsum(best_P.numpy())
            if cumulated[-1] == 0:
                break  # every sample is a copy of one that is drawn or labelled
            position = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
        drawn.append(position)
        best_P = torch.minimum(best_P, distances.to_one(distances.x_ND[position]))
    return distances.x_ND[drawn].clone()


def _lloyd(
    distances: Distances, centres_KD: Tensor, covered_P: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the centres until no candidate changes its group.

    Returns:
        Squared distance of each candidate to its centre or labelled sample [P], and the number of
        its group [P], COVERED where a labelled sample is at least as near.
    """
    group_P = np.full(len(covered_P), COVERED, dtype=np.int64)
    squared_P = covered_P.numpy()
    for _ in range(MAX_ITERATIONS if len(centres_KD) else 0):
        best_P, which_P = distances.to_nearest(centres_KD)
        which_P[covered_P <= best_P] = COVERED
        squared_P = torch.minimum(best_P, covered_P).numpy()
        unchanged = np.array_equal(which_P.numpy(), group_P)
        group_P = which_P.numpy()
        if unchanged:
            break
        centres_KD = _means(distances.x_ND.numpy(), group_P, squared_P, len(centres_KD))
    return squared_P, group_P


def _means(
    x_PD: NDArray[np.float64], group_P: NDArray[np.int64], squared_P: NDArray[np.float64], num_groups: int
) -> Tensor:
    """Return the mean of each group; a group without members moves to the farthest candidate."""
    # Sorted and summed by reduceat: one thread and a fixed order, unlike a product with one-hot rows.
    order = np.argsort(group_P, kind="stable")
    order = order[np.searchsorted(group_P[order], 0) :]
    groups, starts, sizes = np.unique(group_P[order], return_index=True, return_counts=True)
    centres_KD = np.empty((num_groups, x_PD.shape[1]))
    if len(groups):
        centres_KD[groups] = np.add.reduceat(x_PD[order], starts, axis=0) / sizes[:, None]
    empty = np.setdiff1d(np.arange(num_groups), groups)
    centres_KD[empty] = x_PD[np.argsort(-squared_P, kind="stable")[: len(empty)]]
    return torch.from_numpy(centres_KD)


def _nearest_members(
    squared_P: NDArray[np.float64], group_P: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of each group the member nearest to its centre, and the group's size, largest first."""
    position_P = np.arange(len(group_P))
    order = np.lexsort((position_P, squared_P, group_P))
    order = order[group_P[order] != COVERED]
    _, starts, sizes = np.unique(group_P[order], return_index=True, return_counts=True)
    positions = order[starts]
    by_size = np.lexsort((positions, -sizes))
    return positions[by_size], sizes[by_size].astype(np.int64)


STRATEGY = Strategy(
    about="the samples nearest to the centres of k groups, largest first; good with few labels"
    " (Pourahmadi et al. 2021, arxiv.org/abs/2110.12033)",
    pick=pick,
    avoids_copies=True,
)
