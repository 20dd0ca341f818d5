"""Squared Euclidean distances whose ties are ties on every machine.

Shapes: N rows, K centres, D dimensions.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["Distances"]

# Distances are made for at most this many (row, centre) pairs at a time: 64 MB of float64.
PAIRS_AT_ONCE = 8_000_000


class Distances:
    """Squared distances from a fixed set of rows to any centres.

    |x|^2 + |c|^2 - 2 x.c in float64, rounded to the multiple of ``quantum``, about 2e-10 of the
    largest |x|^2. Products of matrices differ in the last bits with the number of threads and with
    the position of a row in its block; after rounding, equal distances are equal, copies of a row are
    at distance 0, and "ties to the lowest index" means something.
    """

    def __init__(self, x_ND: Tensor) -> None:
        """Keep the rows, float64 [N, D]."""
        self.x_ND = x_ND
        self.squared_N = (x_ND * x_ND).sum(dim=1)
        largest = float(self.squared_N.max()) if len(x_ND) else 0.0
        # A power of two, so that rounding to its multiples is exact.
        self.quantum = 2.0 ** (math.ceil(math.log2(largest)) - 32) if largest > 0 else 1.0

    def to_one(self, centre_D: Tensor) -> Tensor:
        """Return the squared distance of every row to one centre, [N]."""
        return self._rounded(self.squared_N + centre_D @ centre_D, self.x_ND @ centre_D)

    def to_nearest(self, centres_KD: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's squared distance to its nearest centre and which that is, ties to the first.

        Args:
            centres_KD: At least one centre, float64.

        Returns:
            Squared distances, float64 [N], and numbers of centres, int64 [N].
        """
        best_N = torch.full((len(self.x_ND),), math.inf, dtype=torch.float64)
        which_N = torch.zeros(len(self.x_ND), dtype=torch.int64)
        for rows in self._chunks(len(centres_KD)):
            nearest = self._to_all(rows, centres_KD).min(dim=1)
            best_N[rows] = nearest.values
            which_N[rows] = nearest.indices
        return best_N, which_N

    def _to_all(self, rows: slice, centres_KD: Tensor) -> Tensor:
        sums = self.squared_N[rows, None] + (centres_KD * centres_KD).sum(dim=1)
        return self._rounded(sums, self.x_ND[rows] @ centres_KD.T)

    def _rounded(self, sums: Tensor, products: Tensor) -> Tensor:
        squared = sums.sub_(products, alpha=2).clamp_(min=0)
        return squared.div_(self.quantum).round_().mul_(self.quantum)

    def _chunks(self, num_centres: int) -> Iterator[slice]:
        step = max(1, PAIRS_AT_ONCE // num_centres)
        for start in range(0, len(self.x_ND), step):
            yield slice(start, start + step)
