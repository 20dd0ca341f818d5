"""Strategy ``kcenter``: exact farthest-first traversal (greedy k-center, CoreSet).

Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985,
https://doi.org/10.1016/0304-3975(85)90224-5; for active learning Sener & Savarese, "Active Learning
for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018, https://arxiv.org/abs/1708.00489.
Every prefix covers the pool within twice the best possible radius. It seeks outliers: good for
coverage, video and near-duplicates; for accuracy with few labels it is at or below ``random``.

The picks are those of the traversal by the book in float64; how they are found fast is in farthest.py.
Beside the vectors about 30 bytes per candidate and the picked vectors are kept.
"""

import math

import numpy as np

from sslcore.selection.farthest import NOBODY, FarthestFirst, Found
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "begin"]


class _Traversal:
    """The traversal, with a reason for each pick."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.search = pool, FarthestFirst(pool)

    def take(self, n: int) -> Picks:
        found = self.search.take(n)
        distances = np.where(found.nearest == NOBODY, math.nan, np.sqrt(found.squared))
        reasons = tuple(self._reason(found, distances[i], i) for i in range(n))
        return Picks(found.positions, reasons, {"distance": distances}, gains=distances)

    def _reason(self, found: Found, distance: float, i: int) -> str:
        if found.nearest[i] == NOBODY:
            return "nearest to the mean of all samples: the first pick, with nothing labelled yet"
        name = self.pool.name(int(found.nearest[i]))
        if distance == 0:
            return f"a copy of {name}: nothing different is left"
        return f"farthest ({distance:.2f}) from everything chosen or labelled before; nearest is {name}"


def begin(pool: Pool, *, seed: int) -> _Traversal:
    """Pick the candidate farthest from everything labelled or picked before, again and again.

    With nothing labelled, the first pick is the candidate nearest to the mean. Ties go to the lowest
    id; there is no chance in it.

    Args:
        pool: What to pick from; labelled rows count as picked before.
        seed: Not used.

    Returns:
        Steps whose picks have the column ``distance``: to the nearest labelled or picked sample, at that
        moment (NaN for a first pick near the mean). It is the gain too.
    """
    del seed
    return _Traversal(pool)


def _estimate(pool: Pool, k: int) -> int:
    return 30 * len(pool.candidates) + 8 * k * pool.vectors.dim + 64_000_000


STRATEGY = Strategy(
    about="the sample farthest from all chosen or labelled, exact; coverage, video, duplicates"
    " (Gonzalez 1985; Sener & Savarese 2018, arxiv.org/abs/1708.00489)",
    begin=begin,
    avoids_copies=True,
    estimate=_estimate,
)
