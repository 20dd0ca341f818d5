"""Squared distances twice: fast within a certified error, and exact for the few pairs that matter.

Matrix products in float32 are fast, but their last bits differ with the number of threads and with where
a row stands in its block, so they decide nothing here that is closer than their error. What is closer is
computed again, one pair at a time in float64, and rounded so that equal distances are equal.

Shapes: N rows, K centres, D dimensions.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.vectors import Vectors

__all__ = ["PAIRS_AT_ONCE", "Screen"]

# Tiles hold at most this many pairs: 16 MB of float32.
PAIRS_AT_ONCE = 4_000_000
# Rounding error of one float32 operation.
UNIT = 2.0**-24
# Of a power of two in float64.
SMALLEST = -1074


class Screen:
    """Squared distances between some vectors."""

    def __init__(self, vectors: Vectors, *, longest: float = 0.0) -> None:
        """Take what the error depends on: the longest vector and the dimension.

        Args:
            vectors: The vectors.
            longest: Squared length of the longest point they are compared with that is not among them or
                their means.
        """
        self.vectors = vectors
        largest = max(float(vectors.squared.max()) if len(vectors) else 0.0, longest)
        # A power of two, so that rounding to its multiples is exact; not near a jump for unit vectors.
        exponent = math.ceil(math.log2(largest * 1.01)) - 32 if largest > 0 else 0
        self.quantum = 2.0 ** max(exponent, SMALLEST)
        # |c|^2 - 2 x.c is summed in some order: at most D + 2 roundings of partial sums, each at most 3 R^2
        # (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). |x|^2, |c|^2, the vectors
        # (if they were float64) and the last sum are rounded once: below 32 R^2 together.
        self.error = (3 * vectors.dim + 32) * UNIT * largest + self.quantum + 1e-37

    def lengths(self, positions: NDArray[np.int64]) -> Tensor:
        """Return squared lengths, float32 [n]."""
        return torch.from_numpy(self.vectors.squared[positions].astype(np.float32))

    def rows(self, positions: NDArray[np.int64]) -> Tensor:
        """Return vectors, float32 [n, D]."""
        return torch.from_numpy(self.vectors.take(positions))

    def view(self, positions: NDArray[np.int64]) -> Tensor:
        """Return vectors that nobody may change, float32 [n, D]; not copied where that can be helped."""
        found = self.vectors.view(positions)
        return torch.from_numpy(found if found.flags.writeable else found.copy())

    def exact(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the squared distance of each pair of positions, the same wherever it is computed [n]."""
        squared = np.empty(len(a))
        step = max(1, PAIRS_AT_ONCE // (2 * self.vectors.dim))
        for start in range(0, len(a), step):
            part = slice(start, start + step)
            squared[part] = self.exact_to(a[part], self.vectors.exact(b[part]))
        return squared

    def within(self, a: NDArray[np.int64], b: NDArray[np.int64], limit: float) -> NDArray[np.bool_]:
        """Return which pairs of positions are at most so far apart, squared, as `exact` would have it [n]."""
        near = np.empty(len(a), np.bool_)
        step = max(1, PAIRS_AT_ONCE // (2 * self.vectors.dim))
        for start in range(0, len(a), step):
            part = slice(start, start + step)
            difference = self.vectors.take(a[part])
            difference -= self.vectors.take(b[part])
            squared = np.einsum("nd,nd->n", difference, difference)
            near[part] = squared <= limit
            unsure = start + np.flatnonzero(np.abs(squared - limit) <= 2 * self.error)
            near[unsure] = self.exact(a[unsure], b[unsure]) <= limit
        return near

    def exact_to(self, a: NDArray[np.int64], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared distance of each position to a point, float64 [D] or one for each [n, D]."""
        difference = self.vectors.exact(a) - points
        squared = np.einsum("nd,nd->n", difference, difference)
        return np.asarray(np.rint(squared / self.quantum) * self.quantum)


def rough(rows: Tensor, centres: Tensor, lengths: Tensor) -> Tensor:
    """Return squared distances less the rows' squared lengths, float32 [n, K].

    Args:
        rows: Vectors, float32 [n, D].
        centres: Centres times -2, float32 [K, D].
        lengths: Squared lengths of the centres, float32 [K].
    """
    return torch.addmm(lengths, rows, centres.T)
