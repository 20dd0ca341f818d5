"""Centres that are placed together, around what is labelled, where weight lies: k-means with fixed centres.

Pourahmadi et al., "A Simple Baseline for Low-Budget Active Learning", 2021,
https://arxiv.org/abs/2110.12033; weighted by uncertainty as in Prabhu et al., "Active Domain Adaptation via
Clustering Uncertainty-weighted Embeddings", ICCV 2021, https://arxiv.org/abs/2010.08666; seeding by Arthur
& Vassilvitskii, "k-means++", SODA 2007.

Shapes: P candidates, K centres, D dimensions.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.pool import Pool
from sslcore.selection.rounded_distances import Distances

__all__ = ["place"]

ITERATIONS = 20
STARTS = 3
COVERED = -1


def place(
    pool: Pool, k: int, *, seed: int, weights_P: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Place ``k`` centres and return the candidate nearest to each.

    Labelled samples are centres that never move: a candidate that is at least as near to one of them as to
    any free centre belongs to no group. Of `STARTS` starts the one with the least weighted sum of squared
    distances is kept.

    Args:
        pool: What to pick from.
        k: How many, at most the candidates.
        seed: Seed of the starts.
        weights_P: What each candidate counts, at least 0; None counts all as 1.

    Returns:
        Places among the candidates, the heaviest group first, none twice; and the share of all weight
        that is in the group of each. There may be fewer than ``k``, where groups are empty.
    """
    distances = Distances(torch.from_numpy(pool.vectors.exact(pool.candidates)))
    weight_P = np.ones(len(distances.x_ND)) if weights_P is None else weights_P
    covered_P = torch.full((len(distances.x_ND),), math.inf, dtype=torch.float64)
    if len(pool.labelled):
        covered_P, _ = distances.to_nearest(torch.from_numpy(pool.vectors.exact(pool.labelled)))
    rng = np.random.default_rng(seed)
    best: tuple[float, NDArray[np.int64], NDArray[np.float64]] | None = None
    for _ in range(STARTS):
        centres_KD = _seeds(distances, covered_P, weight_P, k, rng)
        group_P, squared_P = _lloyd(distances, centres_KD, covered_P, weight_P)
        error = float((weight_P * squared_P).sum())
        if best is None or error < best[0] * (1 - 1e-9):
            best = error, group_P, squared_P
    assert best is not None
    return _nearest(best[1], best[2], weight_P)


def _seeds(
    distances: Distances,
    covered_P: Tensor,
    weight_P: NDArray[np.float64],
    k: int,
    rng: np.random.Generator,
) -> Tensor:
    """Draw up to ``k`` rows, each by its weight times its squared distance to what is drawn or labelled."""
    drawn: list[int] = []
    best_P = covered_P.clone()
    for _ in range(k):
        shares = weight_P if math.isinf(float(best_P[0])) else weight_P * best_P.numpy()
        total = np.cumsum(shares)
        if total[-1] <= 0:
            break  # what weighs anything is a copy of what is drawn or labelled
        row = min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(total) - 1)
        drawn.append(row)
        best_P = torch.minimum(best_P, distances.to_one(distances.x_ND[row]))
    return distances.x_ND[drawn].clone()


def _lloyd(
    distances: Distances, centres_KD: Tensor, covered_P: Tensor, weight_P: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Move the centres to the weighted means of their groups; return each candidate's group and distance."""
    group_P, squared_P = np.full(len(weight_P), COVERED, np.int64), covered_P.numpy()
    for _ in range(ITERATIONS if len(centres_KD) else 0):
        best_P, which_P = distances.to_nearest(centres_KD)
        which_P[covered_P <= best_P] = COVERED
        squared_P = torch.minimum(best_P, covered_P).numpy()
        unchanged = np.array_equal(which_P.numpy(), group_P)
        group_P = which_P.numpy()
        if unchanged:
            break
        centres_KD = _means(distances.x_ND.numpy(), group_P, weight_P, centres_KD)
    return group_P, squared_P


def _means(
    x_PD: NDArray[np.float64], group_P: NDArray[np.int64], weight_P: NDArray[np.float64], centres_KD: Tensor
) -> Tensor:
    """Return the weighted mean of each group; one without weight stays where it is."""
    # Sorted and summed by reduceat: one thread and a fixed order, unlike a product with one-hot rows.
    order = np.argsort(group_P, kind="stable")
    order = order[(group_P[order] != COVERED) & (weight_P[order] > 0)]
    groups, starts = np.unique(group_P[order], return_index=True)
    moved = centres_KD.numpy().copy()
    if len(groups):
        sums = np.add.reduceat(x_PD[order] * weight_P[order, None], starts, axis=0)
        moved[groups] = sums / np.add.reduceat(weight_P[order], starts)[:, None]
    return torch.from_numpy(moved)


def _nearest(
    group_P: NDArray[np.int64], squared_P: NDArray[np.float64], weight_P: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.lexsort((np.arange(len(group_P)), squared_P, group_P))
    order = order[group_P[order] != COVERED]
    groups, starts = np.unique(group_P[order], return_index=True)
    if not len(groups):
        return np.empty(0, np.int64), np.empty(0)
    places = order[starts]
    shares = np.add.reduceat(weight_P[order], starts) / max(float(weight_P.sum()), 1e-300)
    by_weight = np.lexsort((places, -shares))
    return places[by_weight], shares[by_weight]
