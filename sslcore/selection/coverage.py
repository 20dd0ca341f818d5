"""Greedy choice of what covers a pool best (the sum of largest kernels to a pick), with exact gains.

Source: Bae, Noh & Sutherland, "Generalized Coverage for More Robust Low-Budget Active Learning", ECCV 2024,
https://arxiv.org/abs/2407.12212; with a similarity for a kernel it is facility location (Cornuejols, Fisher &
Nemhauser 1977), and greedy reaches 1 - 1/e of the best.

Everything that decides is whole numbers, so that threads and blocks cannot change a sum: vectors are taken
as multiples of 2^-25 of the longest length (or 2^-11, see `Grid`), of which products of matrices in
floating point are exact, and kernels as multiples of 2^-14. A pick changes gains only through what it
covers better than all before, which is an ever smaller part: all gains together cost about ln(k) passes
over the kernel, no queue needed.

Shapes: R references (what is covered), C candidates (what covers), D dimensions.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.compiled import as_array, compiled, over_pieces
from sslcore.selection.vectors import Vectors

__all__ = [
    "ONE",
    "Coverage",
    "Grid",
    "Kernel",
    "covered_by",
    "fill_kernel",
    "gaussian",
    "top_hat",
    "whole_weights",
]

# Kernels are multiples of 1 / ONE, weights of 1 / HEAVIEST of the largest: sums over 2^19 references are
# exact in float64.
ONE, HEAVIEST = 2**14, 2**20
TILE = 512
# Pairs from which on sums are compiled: loading the compiler takes a second or two.
WORTH = 2**27

Kernel = Callable[[NDArray[Any], float], NDArray[np.int16]]
"""From squared distances, float32 or float64 [r, c], which it may overwrite, and their unit to multiples of
1 / ONE."""


def gaussian(sigma: float) -> Kernel:
    """Return exp(-d^2 / sigma^2), as in the paper; 1 where d is 0."""

    def kernel(squared: NDArray[Any], unit: float) -> NDArray[np.int16]:
        factor = -unit / sigma**2
        if squared.dtype == np.float32 and 1e-30 < -factor < 1e30:
            values = squared
            values *= np.float32(factor)
        else:  # in float64 first: the squares of a very narrow or wide kernel are beyond float32
            squared = squared.astype(np.float64, copy=False)
            squared *= factor
            values = squared.astype(np.float32)
        np.exp(values, out=values)
        values *= np.float32(ONE)
        return np.asarray(np.rint(values, out=values).astype(np.int16))

    return kernel


def top_hat(radius: float) -> Kernel:
    """Return 1 where d <= radius, else 0: the balls of ProbCover."""

    def kernel(squared: NDArray[Any], unit: float) -> NDArray[np.int16]:
        return (squared * np.float64(unit) <= radius**2).astype(np.int16) * np.int16(ONE)

    return kernel


class Grid:
    """Vectors as whole numbers: their products are exact in floating point, whoever adds first."""

    def __init__(self, vectors: Vectors, *, fine: bool = True) -> None:
        """Choose the step.

        Args:
            vectors: The vectors.
            fine: Steps of 2^-25 of the longest length and products in float64; else 2^-11 and float32,
                which is twice as fast and moves a vector by about sqrt(D) / 7000 of the longest length.
        """
        self.vectors, self.dtype = vectors, torch.float64 if fine else torch.float32
        longest = math.sqrt(float(vectors.squared.max())) if len(vectors) else 1.0
        # The longest vector is below 1 in this unit. 2^25 (2^11) steps make |x|^2 and every partial sum of
        # |x|^2 + |y|^2 - 2 x.y less than 2^53 (2^24), rounding of the coordinates included.
        unit = 2.0 ** math.ceil(math.log2(longest * 1.01)) if longest > 0 else 1.0
        self.step = unit * 2.0 ** (-25 if fine else -11)

    def rows(self, positions: NDArray[np.int64]) -> Tensor:
        """Return vectors in steps [n, D]."""
        steps = self.vectors.exact(positions)
        steps /= self.step
        return torch.from_numpy(np.rint(steps, out=steps)).to(self.dtype)

    @property
    def unit(self) -> float:
        """The unit of squared distances."""
        return self.step**2

    def sums(self, a: Tensor, b: Tensor) -> NDArray[Any]:
        """Return all squared distances of vectors in steps, as whole multiples of the unit [a, b]."""
        sums = (a * a).sum(dim=1)[:, None] + (b * b).sum(dim=1)
        made: NDArray[Any] = torch.addmm(sums, a, b.T, alpha=-2).numpy()
        return made

    def squared(self, a: Tensor, b: Tensor) -> NDArray[np.float64]:
        """Return the same as they are."""
        return self.sums(a, b).astype(np.float64) * self.unit


def fill_kernel(
    grid: Grid,
    references: NDArray[np.int64],
    candidates: NDArray[np.int64],
    kernel: Kernel,
) -> Tensor:
    """Return the kernel between two sets of positions, int16 [R, C]; of one set half is computed."""
    same = np.array_equal(references, candidates)
    whole = torch.empty(len(references), len(candidates), dtype=torch.int16)
    out = whole.numpy()
    tops = range(0, len(references), TILE)
    rows = [grid.rows(references[top : top + TILE]) for top in tops]
    for left in range(0, len(candidates), TILE):
        columns = rows[left // TILE] if same else grid.rows(candidates[left : left + TILE])
        for top, part in zip(tops, rows, strict=True):
            if same and top > left:
                break
            tile = kernel(grid.sums(part, columns), grid.unit)
            out[top : top + TILE, left : left + TILE] = tile
            if same:
                out[left : left + TILE, top : top + TILE] = tile.T
    return whole


def covered_by(
    grid: Grid, references: NDArray[np.int64], centres: NDArray[np.int64], kernel: Kernel
) -> NDArray[np.int16]:
    """Return how well the best of some centres covers each reference, 0 without any [R]."""
    best = np.zeros(len(references), np.int16)
    for start in range(0, len(centres), 1024):
        some = grid.rows(centres[start : start + 1024])
        for top in range(0, len(best), 1024):
            tile = kernel(grid.sums(grid.rows(references[top : top + 1024]), some), grid.unit)
            best[top : top + 1024] = np.maximum(best[top : top + 1024], tile.max(axis=1))
    return best


def whole_weights(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return weights >= 0 as whole numbers from 0 to `HEAVIEST`, the largest of them."""
    largest = max(float(weights.max(initial=0.0)), 1e-300)
    return np.rint(weights / largest * HEAVIEST).astype(np.int64)


class Coverage:
    """The gain of every candidate, kept up to date as picks are made."""

    def __init__(
        self, kernel: Tensor, covered: NDArray[np.int16], weights: NDArray[np.int64] | None = None
    ) -> None:
        """Compute all gains once.

        Args:
            kernel: In multiples of 1 / `ONE`, int16 [R, C].
            covered: What covers each reference already, in the same unit [R].
            weights: Of the references, whole numbers whose sum is below 2^38 [R]; None is 1 for all.
        """
        self.kernel, self.best = kernel, torch.from_numpy(covered.astype(np.int16))
        self.weights = None if weights is None else torch.from_numpy(weights).double()
        self.gains = np.zeros(kernel.shape[1], np.int64)
        """What each candidate would add, in multiples of 1 / `ONE` [C]."""
        self.most = ONE * (len(kernel) if weights is None else int(weights.sum()))
        """What covering all references entirely would come to, in the same unit."""
        highest = torch.full_like(self.best, 2**15 - 1)
        self.gains += self._between(torch.arange(len(kernel)), self.best, highest)

    def add(self, column: Tensor) -> None:
        """Cover the references by a pick.

        Args:
            column: Its kernel to every reference, int16 [R].
        """
        better = torch.nonzero(column > self.best)[:, 0]
        self.gains -= self._between(better, self.best[better], column[better])
        self.best[better] = column[better]

    def _between(self, rows: Tensor, low: Tensor, high: Tensor) -> NDArray[np.int64]:
        """Return how much of each candidate's kernel lies between two bounds, summed over references."""
        if self.weights is not None:
            counted = self.weights[rows] > 0
            rows, low, high = rows[counted], low[counted], high[counted]
        if self.kernel.numel() >= WORTH and (loops := compiled("coverage")) is not None:
            return self._compiled_between(loops, rows, low, high)
        total = torch.zeros(self.kernel.shape[1], dtype=torch.int64)
        # Few enough rows that sums of 16-bit numbers stay below 2^31.
        step = max(1, min(2**16, 8_000_000 // self.kernel.shape[1]))
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            part = torch.clamp(self.kernel[rows[some]], low[some, None], high[some, None])
            if self.weights is None:
                # NumPy adds 16-bit numbers several times as fast as PyTorch.
                total += torch.from_numpy(np.add.reduce(part.numpy(), axis=0, dtype=np.int32))
                total -= low[some].sum()
            else:
                # Whole numbers below 2^53, so exact whoever adds first.
                heavy = self.weights[rows[some]]
                total += (heavy @ part.double() - heavy @ low[some].double()).long()
        return total.numpy()

    def _compiled_between(self, loops: Any, rows: Tensor, low: Tensor, high: Tensor) -> NDArray[np.int64]:
        """Do the same in one pass over the kernel, each thread with its own columns."""
        num_columns, threads = self.kernel.shape[1], torch.get_num_threads()
        total = np.empty(num_columns, np.int64)
        kernel, bounds = as_array(self.kernel), [as_array(each) for each in (rows, low, high)]

        heavy = None if self.weights is None else as_array(self.weights[rows])

        def do(columns: slice) -> None:
            if heavy is None:
                loops.between(kernel, *bounds, columns.start, total[columns])
            else:
                loops.weighted_between(kernel, *bounds, heavy, columns.start, total[columns])

        over_pieces(do, total=num_columns, size=max(1, -(-num_columns // threads)))
        return total
