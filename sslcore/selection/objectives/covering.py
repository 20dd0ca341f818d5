"""Objective ``coverage``: like many that nothing chosen is like, as in MaxHerding.

Value: what the sample would add to the coverage of the pool (coverage.py), over the most that any
would add now.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import ConfigError
from sslcore.selection.coverage import Coverage, Grid, covered_by, fill_kernel, gaussian
from sslcore.selection.covering import drawn, kernel_width
from sslcore.selection.objectives.base import State, check_limit, check_strength, share_of_largest
from sslcore.selection.pool import Pool

__all__ = ["Covering"]

# The kernel has at most so many numbers, 128 MB: of a large pool, fewer references are drawn.
MOST_NUMBERS, LEAST_REFERENCES = 2**26, 256
# Beyond these every sample covers itself only, or all alike; squares of much more leave float64.
NARROWEST, WIDEST = 1e-6, 1e6


@dataclass(frozen=True)
class Covering:
    """Prefer what stands for many."""

    strength: float = 1.0
    """Power in the product."""
    width: float = 1.0
    """Width of the kernel, in root mean squared lengths of the vectors (1 for unit length); 1e-6 to 1e6."""
    name: str = "coverage"
    """Column of what each pick added, a share of the pool."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Work out the kernel."""
        check_strength(self.strength)
        width = check_limit(self.width, what="the width", name=self.name)
        if not width > 0:
            raise ConfigError(f"width must be > 0, got {self.width}")
        if not NARROWEST <= width <= WIDEST:
            raise ConfigError(f"width must be from {NARROWEST:g} to {WIDEST:g}, got {self.width}")
        most = max(LEAST_REFERENCES, MOST_NUMBERS // len(pool.candidates))
        references = drawn(pool.candidates, most, np.random.default_rng(seed))
        grid, kernel = Grid(pool.vectors), gaussian(width * kernel_width(pool))
        covered = covered_by(grid, references, pool.labelled, kernel)
        return _Gain(Coverage(fill_kernel(grid, references, pool.candidates, kernel), covered))


class _Gain:
    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage

    def values(self) -> NDArray[np.float64]:
        return share_of_largest(self.coverage.gains.astype(np.float64))

    def allowed(self) -> NDArray[np.bool_] | None:
        return None

    def fits(self, places: NDArray[np.int64]) -> bool:
        del places
        return True

    def figure(self, place: int) -> float:
        return float(self.coverage.gains[place] / self.coverage.most)

    def words(self, place: int) -> str:
        return f"covers {100 * self.figure(place):.2g} % more of the pool"

    def add(self, place: int) -> None:
        self.coverage.add(self.coverage.kernel[:, place].contiguous())
