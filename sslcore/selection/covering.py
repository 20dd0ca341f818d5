"""Greedy coverage of a pool, whole where it is small, by samples of it where it is large.

Up to `WHOLE` pairs of vectors and candidates the kernel between all of them is kept, and the picks are
those of the greedy choice by the book. Above, `SAMPLED` references stand for the pool and `CANDIDATES` for
what can be picked, both drawn anew every `REDRAW` picks: with too few references per pick the picks would
fit the sample and not the pool.

Shapes: N vectors, P candidates, L labelled.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.copies import find_copies
from sslcore.selection.coverage import Coverage, Grid, Kernel, covered_by, fill_kernel, whole_weights
from sslcore.selection.pool import Pool

__all__ = ["FEW_CANDIDATES", "FEW_REFERENCES", "Covering", "covering_bytes", "drawn", "kernel_width"]

WHOLE = 450_000_000
# What strategies that compute the kernel for few picks at a time draw instead, above as many pairs.
FEW_REFERENCES, FEW_CANDIDATES = 8_192, 16_384
SAMPLED, CANDIDATES, REDRAW = 24_576, 32_768, 1_024


def drawn(positions: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the positions, or of more than ``most`` so many drawn at random, ascending."""
    if len(positions) <= most:
        return positions
    return np.sort(rng.choice(positions, most, replace=False))


def kernel_width(pool: Pool) -> float:
    """Return 1 for vectors of unit length, else the root of their mean squared length (1 where all are 0)."""
    squared = pool.vectors.squared
    if not len(squared) or squared.max() == 0 or np.abs(squared - 1).max() < 0.01:
        return 1.0
    return float(np.sqrt(squared.mean()))


def covering_bytes(
    pool: Pool, k: int, *, references: int | None = None, candidates: int | None = None
) -> int:
    """Return an estimate of what covering needs beside the pool, in bytes."""
    del k
    whole, rows, columns = _sizes(references, candidates)
    pairs = len(pool.everyone) * len(pool.candidates)
    if pairs > whole:
        pairs = min(rows, len(pool)) * min(columns, len(pool.candidates))
    return 2 * pairs + 32 * len(pool) + 16 * len(pool.labelled) * pool.vectors.dim + 150_000_000


def _sizes(references: int | None, candidates: int | None) -> tuple[int, int, int]:
    """Return up to how many pairs the kernel is whole, and how many are drawn above."""
    if references is None or candidates is None:
        return WHOLE, SAMPLED, CANDIDATES
    return references * candidates, references, candidates


class Covering:
    """Picks one after the other, each of which covers most of what is not covered yet."""

    def __init__(
        self,
        pool: Pool,
        kernel: Kernel,
        *,
        seed: int,
        weights_N: NDArray[np.float64] | None = None,
        references: int | None = None,
        candidates: int | None = None,
        when_covered: Callable[[], Kernel | None] = lambda: None,
    ) -> None:
        """Keep what to cover.

        Args:
            pool: What to pick from; labelled vectors cover too.
            kernel: How well one vector covers another.
            seed: Seed of the samples of a large pool.
            weights_N: What covering each position counts, at least 0; None counts all as 1.
            references: With ``candidates``, how many are drawn of a pool with more pairs; None is `SAMPLED`.
            candidates: Of what can be picked, likewise; None is `CANDIDATES`.
            when_covered: Asked for another kernel when no candidate adds anything; None is no other.
        """
        self.pool, self.kernel, self.when_covered = pool, kernel, when_covered
        self.weights_N = None if weights_N is None else whole_weights(weights_N)
        self.rng = np.random.default_rng(seed)
        most, self.num_references, self.num_candidates = _sizes(references, candidates)
        self.whole = len(pool.everyone) * len(pool.candidates) <= most
        self.grid = Grid(pool.vectors, fine=self.whole)
        self.picks: list[int] = []
        self.left = np.ones(len(pool.candidates), bool)
        # Which candidates are copies, once no other adds anything: a copy never does.
        self.copies: NDArray[np.bool_] | None = None
        self._draw()

    def take(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the next ``n`` positions and what each added to the mean coverage of the pool (0 to 1)."""
        positions, gains = np.empty(n, np.int64), np.empty(n)
        for i in range(n):
            if not self.whole and (self.since == REDRAW or not self.open.any()):
                self._draw()
            values = np.where(self.open, self.coverage.gains, -1)
            best = int(values.argmax())
            if values[best] == 0 and (other := self.when_covered()) is not None:
                self.kernel = other
                self._draw()
                values = np.where(self.open, self.coverage.gains, -1)
                best = int(values.argmax())
            if values[best] == 0:
                best = self._different()
            gains[i] = values[best] / max(self.coverage.most, 1)
            positions[i] = self.candidates[best]
            self._add(best)
        return positions, gains

    def _different(self) -> int:
        """Return the first candidate that is no copy, where none adds anything; the first of copies only."""
        if self.copies is None:
            self.copies = np.isin(self.pool.candidates, find_copies(self.pool))
        if (self.left & ~self.copies).any():
            fits = self.open & ~self._are_copies()
            if not fits.any():
                self._draw()  # of a large pool, only copies were drawn
                fits = self.open & ~self._are_copies()
            return int(fits.argmax())
        return int(self.open.argmax())

    def _are_copies(self) -> NDArray[np.bool_]:
        """Return which of what can be picked now are copies, once that is known."""
        assert self.copies is not None
        return self.copies[np.searchsorted(self.pool.candidates, self.candidates)]

    def _add(self, best: int) -> None:
        position = int(self.candidates[best])
        kernel = self.coverage.kernel
        # Between a set and itself a row is a column, and lies together in memory.
        self.coverage.add(kernel[best] if self.same else kernel[:, best].contiguous())
        self.open[best] = False
        self.left[np.searchsorted(self.pool.candidates, position)] = False
        self.picks.append(position)
        self.since += 1

    def _draw(self) -> None:
        """Choose references and candidates, and compute the gains that are left."""
        everyone = self.pool.everyone
        self.references, self.candidates = everyone, self.pool.candidates
        if not self.whole:
            self.references = drawn(everyone, self.num_references, self.rng)
            left = self.left
            if self.copies is not None and (left & ~self.copies).any():
                left = left & ~self.copies
            self.candidates = drawn(self.pool.candidates[left], self.num_candidates, self.rng)
        self.same = np.array_equal(self.references, self.candidates)
        kernel = fill_kernel(self.grid, self.references, self.candidates, self.kernel)
        self.open = ~np.isin(self.candidates, self.picks)
        centres = np.concatenate([self.pool.labelled, np.array(self.picks, np.int64)])
        covered = covered_by(self.grid, self.references, centres, self.kernel)
        weights = None if self.weights_N is None else self.weights_N[self.references]
        self.coverage = Coverage(kernel, covered, weights)
        self.since = 0
