"""Strategy ``kcenter``: exact farthest-first traversal (greedy k-center, CoreSet).

Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985,
https://doi.org/10.1016/0304-3975(85)90224-5; for active learning Sener & Savarese, "Active Learning
for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018, https://arxiv.org/abs/1708.00489.
Every prefix covers the pool within twice the best possible radius. It seeks outliers: good for
coverage, video and near-duplicates; for accuracy with few labels it is at or below ``random``.

O(P k D) time; beside the vectors only a distance and a neighbour per candidate are kept.
Shapes: P candidates, L labelled, D dimensions.
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


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick the candidate farthest from everything labelled or picked before, ``k`` times.

    With nothing labelled, the first pick is the candidate nearest to the mean. Ties go to the lowest
    row; there is no chance in it.

    Args:
        pool: What to pick from; labelled rows count as picked before.
        k: How many, at most the candidates.
        seed: Not used.

    Returns:
        Picks with the column ``distance``: to the nearest labelled or picked sample, at that moment
        (NaN for a first pick near the mean).
    """
    del seed
    x_PD = torch.from_numpy(pool.vectors.exact(pool.candidates))
    distances = Distances(x_PD)
    best_P, nearest_P = _from_labelled(pool, distances)
    chosen: list[int] = []
    radii, reasons = np.full(k, math.nan), []
    for rank in range(k):
        if math.isinf(float(best_P.max())):
            position = int(distances.to_one(x_PD.mean(dim=0)).argmin())
            reasons.append("nearest to the mean of all samples: the first pick, with nothing labelled yet")
        else:
            position = int(best_P.argmax())
            radii[rank] = math.sqrt(float(best_P[position]))
            reasons.append(_reason(pool, radii[rank], int(nearest_P[position])))
        chosen.append(position)
        row = int(pool.candidates[position])
        _update(best_P, nearest_P, distances.to_one(x_PD[position]), row)
        best_P[position] = -1.0  # below every distance, and a minimum keeps it: never picked again
    indices: NDArray[np.int64] = pool.candidates[chosen]
    return Picks(indices=indices, reasons=tuple(reasons), columns={"distance": radii})


def _from_labelled(pool: Pool, distances: Distances) -> tuple[Tensor, Tensor]:
    """Return each candidate's squared distance to the nearest labelled row (inf: none) and that row."""
    if len(pool.labelled) == 0:
        none_P = torch.full((len(pool.candidates),), -1, dtype=torch.int64)
        return torch.full((len(pool.candidates),), math.inf, dtype=torch.float64), none_P
    best_P, which_P = distances.to_nearest(torch.from_numpy(pool.vectors.exact(pool.labelled)))
    return best_P, torch.from_numpy(pool.labelled)[which_P]


def _update(best_P: Tensor, nearest_P: Tensor, squared_P: Tensor, row: int) -> None:
    closer_P = squared_P < best_P
    best_P[closer_P] = squared_P[closer_P]
    nearest_P[closer_P] = row


def _reason(pool: Pool, distance: float, nearest: int) -> str:
    name = pool.name(nearest)
    if distance == 0:
        return f"a copy of {name}: nothing different is left"
    return f"farthest ({distance:.2f}) from everything chosen or labelled before; nearest is {name}"


STRATEGY = Strategy(
    about="the sample farthest from all chosen or labelled, exact; coverage, video, duplicates"
    " (Gonzalez 1985; Sener & Savarese 2018, arxiv.org/abs/1708.00489)",
    pick=pick,
    avoids_copies=True,
)
