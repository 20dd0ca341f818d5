"""Constraint ``threshold``: a number must be above or below a limit. Applied before anything is picked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError
from sslcore.selection.constraints.base import Rule
from sslcore.selection.objectives.base import numbers
from sslcore.selection.pool import Pool

__all__ = ["Threshold"]


@dataclass(frozen=True)
class Threshold:
    """Only what keeps all the limits given."""

    values: Sequence[Any] | ArrayLike | str
    """Numbers by row [N], or a name of ``scores``."""
    at_least: float | None = None
    """Least allowed number."""
    at_most: float | None = None
    """Largest allowed number."""
    above: float | None = None
    """Only numbers larger than this."""
    below: float | None = None
    """Only numbers smaller than this."""
    name: str = "threshold"
    """What it is called."""

    def begin(self, pool: Pool) -> Rule:
        """Compare once."""
        if all(limit is None for limit in (self.at_least, self.at_most, self.above, self.below)):
            raise ConfigError(f"'{self.name}' must give one of at_least, at_most, above, below")
        found = numbers(self.values, pool, what=f"'{self.name}'")[pool.candidates]
        keeps = np.ones(len(found), bool)
        if self.at_least is not None:
            keeps &= found >= self.at_least
        if self.at_most is not None:
            keeps &= found <= self.at_most
        if self.above is not None:
            keeps &= found > self.above
        if self.below is not None:
            keeps &= found < self.below
        return _Mask(keeps)


class _Mask:
    def __init__(self, keeps_P: NDArray[np.bool_]) -> None:
        self.keeps_P = keeps_P

    def allowed(self) -> NDArray[np.bool_]:
        return self.keeps_P

    def fits(self, places: NDArray[np.int64]) -> bool:
        del places
        return True

    def add(self, place: int) -> None:
        del place
