"""Constraint ``quota``: at most so many picks with the same value (a class, a video, a camera)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection.constraints.base import Rule
from sslcore.selection.objectives.base import by_position
from sslcore.selection.pool import Pool

__all__ = ["Quota"]


@dataclass(frozen=True)
class Quota:
    """At most N picks of a value; what is labelled already does not count."""

    values: Sequence[Any] | ArrayLike
    """A value by row [N]; a row without one (None, NaN) is free of the quota."""
    at_most: int | Mapping[str, int] = 1
    """For every value, or for each value by name; values that are not named are free."""
    name: str = "quota"
    """What it is called."""

    def begin(self, pool: Pool) -> Rule:
        """Number the values."""
        given = by_position(self.values, pool, what=f"'{self.name}'")[pool.candidates].tolist()
        text = ["" if value is None or value != value else str(value) for value in given]
        names, number_P = np.unique(np.array(text, dtype=str), return_inverse=True)
        if isinstance(self.at_most, Mapping):
            unknown = sorted(set(self.at_most) - set(names.tolist()))
            if unknown:
                known = ", ".join(name for name in names.tolist()[:10] if name)
                raise UserError(f"'{self.name}' names '{unknown[0]}', which no sample has: {known}")
            limits = np.array([float(self.at_most.get(name, np.inf)) for name in names.tolist()])
        else:
            limits = np.where(names == "", np.inf, float(self.at_most))
        if (limits < 0).any():
            raise ConfigError(f"'{self.name}' must be >= 0, got {limits.min():g}")
        return _Count(number_P, limits)


class _Count:
    def __init__(self, number_P: NDArray[np.int64], left_V: NDArray[np.float64]) -> None:
        self.number_P, self.left_V = number_P, left_V

    def allowed(self) -> NDArray[np.bool_]:
        may: NDArray[np.bool_] = self.left_V[self.number_P] >= 1
        return may

    def fits(self, places: NDArray[np.int64]) -> bool:
        counts = np.bincount(self.number_P[places], minlength=len(self.left_V))
        return bool((counts <= self.left_V).all())

    def add(self, place: int) -> None:
        self.left_V[self.number_P[place]] -= 1
