"""Picks by coverage, one after the other, with what each added in words."""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.covering import Covering
from sslcore.selection.picks import Picks

__all__ = ["Herding"]


class Herding:
    """Greedy maximization of a coverage; each sample may count as much as a model is unsure of it."""

    def __init__(self, covering: Covering, close_N: NDArray[np.float64] | None = None) -> None:
        """Keep what to maximize.

        Args:
            covering: Of a pool.
            close_N: How unsure a model is of each position, in [0, 1], NaN where nothing says so; None
                leaves the column ``margin`` out.
        """
        self.covering, self.close_N = covering, close_N

    def take(self, n: int) -> Picks:
        """Return the next ``n``, with the columns ``coverage_gain``, a share, and ``margin``."""
        positions, gains = self.covering.take(n)
        columns = {"coverage_gain": gains}
        if self.close_N is not None:
            columns["margin"] = self.close_N[positions]
        reasons = tuple(
            self._reason(int(position), float(gain)) for position, gain in zip(positions, gains, strict=True)
        )
        return Picks(positions, reasons, columns, gains=gains)

    def _reason(self, position: int, gain: float) -> str:
        covered = f"covers {100 * gain:.2g} % more of the pool than what is chosen or labelled"
        if self.close_N is None or np.isnan(self.close_N[position]):
            return covered
        return f"{covered}, weighted by uncertainty; its own margin is {1 - self.close_N[position]:.2f}"
