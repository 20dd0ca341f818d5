"""Objective ``coverage``: like many that nothing chosen is like, as in MaxHerding.

Value: what the sample would add to the coverage of the pool (kernel_coverage.py), over the most that any
would add now.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import ConfigError
from sslcore.selection.kernel_coverage import GAIN_SHARE, Coverage, mean_square
from sslcore.selection.objectives.base import State, check_strength, share_of_largest
from sslcore.selection.pool import Pool

__all__ = ["Covering"]

# The kernel has at most so many numbers, 256 MB: of a large pool, fewer references are drawn.
MOST_NUMBERS = 2**26


@dataclass(frozen=True)
class Covering:
    """Prefer what stands for many."""

    strength: float = 1.0
    """Power in the product."""
    width: float = 1.0
    """Width of the kernel, in root mean squared lengths of the vectors (1 for unit length)."""
    name: str = "coverage"
    """Column of what each pick added, a share of the pool."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Work out the kernel."""
        check_strength(self.strength)
        if not self.width > 0:
            raise ConfigError(f"width must be > 0, got {self.width}")
        num = len(pool.candidates)
        references = max(256, MOST_NUMBERS // num)
        width = self.width * math.sqrt(mean_square(pool))
        return _Gain(Coverage(pool, seed=seed, width=width, most_candidates=num, most_references=references))


class _Gain:
    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage

    def values(self) -> NDArray[np.float64]:
        # Rounded: two samples that cover only each other are a tie, which rounding errors must not decide.
        gains_P = np.round(self.coverage.gain_P.clamp(min=0).numpy() / GAIN_SHARE) * GAIN_SHARE
        return share_of_largest(gains_P)

    def allowed(self) -> NDArray[np.bool_] | None:
        return None

    def fits(self, places: NDArray[np.int64]) -> bool:
        del places
        return True

    def figure(self, place: int) -> float:
        return max(float(self.coverage.gain_P[place]), 0.0)

    def words(self, place: int) -> str:
        return f"covers {100 * self.figure(place):.2g} % more of the pool"

    def add(self, place: int) -> None:
        self.coverage.add(place)
