"""Picks by coverage, one after the other."""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.kernel_coverage import Coverage
from sslcore.selection.picks import Picks
from sslcore.selection.pool import Pool

__all__ = ["Herding"]


class Herding:
    """Greedy maximization of a coverage; what did not compete (in a large pool) comes last."""

    def __init__(self, pool: Pool, coverage: Coverage, close_N: NDArray[np.float64] | None) -> None:
        """Keep what to maximize.

        Args:
            pool: What to pick from.
            coverage: Of the pool.
            close_N: How unsure a model is of each position, in [0, 1]; None where there is none.
        """
        self.pool, self.coverage, self.close_N = pool, coverage, close_N
        self.rest = np.setdiff1d(pool.candidates, coverage.positions)
        self.done = 0

    def take(self, n: int) -> Picks:
        """Return the next ``n``."""
        picked = np.empty(n, np.int64)
        gains = np.zeros(n)
        reasons = []
        for at in range(n):
            if self.done < len(self.coverage.positions):
                place, gains[at] = self.coverage.next()
                self.coverage.add(place)
                picked[at] = self.coverage.positions[place]
                reasons.append(self._reason(int(picked[at]), float(gains[at])))
            else:
                picked[at] = self.rest[self.done - len(self.coverage.positions)]
                reasons.append("fills the budget: it was not in the sample of the pool that competed")
            self.done += 1
        close = np.full(n, np.nan) if self.close_N is None else self.close_N[picked]
        return Picks(picked, tuple(reasons), {"coverage_gain": gains, "margin": close}, gains=gains)

    def _reason(self, position: int, gain: float) -> str:
        covered = f"covers {100 * gain:.2g} % more of the pool than what is chosen or labelled"
        if self.close_N is None:
            return covered
        return f"{covered}, weighted by uncertainty; its own margin is {1 - self.close_N[position]:.2f}"
