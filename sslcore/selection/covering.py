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

from sslcore.selection.coverage import ONE, Coverage, Grid, Kernel, fill_kernel
from sslcore.selection.pool import Pool

__all__ = ["Covering", "covering_bytes"]

WHOLE = 450_000_000
SAMPLED, CANDIDATES, REDRAW = 16_384, 32_768, 1_024


def is_whole(pool: Pool) -> bool:
    """Whether the kernel of all pairs is kept."""
    return len(pool.everyone) * len(pool.candidates) <= WHOLE


def covering_bytes(pool: Pool, k: int) -> int:
    """Return an estimate of what covering needs beside the pool."""
    del k
    pairs = len(pool) * len(pool.candidates)
    if not is_whole(pool):
        pairs = min(SAMPLED, len(pool)) * min(CANDIDATES, len(pool.candidates))
    return 2 * pairs + 32 * len(pool) + 16 * len(pool.labelled) * pool.vectors.dim + 150_000_000


class Covering:
    """Picks one after the other, each of which covers most of what is not covered yet."""

    def __init__(
        self,
        pool: Pool,
        kernel: Kernel,
        *,
        seed: int,
        when_covered: Callable[[], Kernel | None] = lambda: None,
    ) -> None:
        """Keep what to cover.

        Args:
            pool: What to pick from; labelled vectors cover too.
            kernel: How well one vector covers another.
            seed: Seed of the samples of a large pool.
            when_covered: Asked for another kernel when no candidate adds anything; None is no other.
        """
        self.pool, self.kernel, self.when_covered = pool, kernel, when_covered
        self.rng = np.random.default_rng(seed)
        self.whole = is_whole(pool)
        self.grid = Grid(pool.vectors, fine=self.whole)
        self.picks: list[int] = []
        self.left = np.ones(len(pool.candidates), bool)
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
            gains[i] = values[best] / ONE / len(self.references)
            positions[i] = self.candidates[best]
            self._add(best)
        return positions, gains

    def _add(self, best: int) -> None:
        position = int(self.candidates[best])
        self.coverage.add(self.coverage.kernel[:, best].contiguous())
        self.open[best] = False
        self.left[np.searchsorted(self.pool.candidates, position)] = False
        self.picks.append(position)
        self.since += 1

    def _draw(self) -> None:
        """Choose references and candidates, and compute the gains that are left."""
        everyone = self.pool.everyone
        self.references, self.candidates = everyone, self.pool.candidates
        if not self.whole:
            self.references = self._some(everyone, SAMPLED)
            self.candidates = self._some(self.pool.candidates[self.left], CANDIDATES)
        kernel = fill_kernel(self.grid, self.references, self.candidates, self.kernel)
        self.open = ~np.isin(self.candidates, self.picks)
        self.coverage = Coverage(kernel, self._covered())
        self.since = 0

    def _some(self, positions: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        if len(positions) <= count:
            return positions
        return np.sort(self.rng.choice(positions, count, replace=False))

    def _covered(self) -> NDArray[np.int16]:
        """Return how well what is labelled or picked covers each reference."""
        centres = np.concatenate([self.pool.labelled, np.array(self.picks, np.int64)])
        best = np.zeros(len(self.references), np.int16)
        for start in range(0, len(centres), 1024):
            some = self.grid.rows(centres[start : start + 1024])
            for top in range(0, len(best), 1024):
                rows = self.grid.rows(self.references[top : top + 1024])
                tile = self.kernel(self.grid.squared(rows, some))
                best[top : top + 1024] = np.maximum(best[top : top + 1024], tile.max(axis=1))
        return best
