"""Constraint ``quota``: at most so many picks with the same value (a class, a video, a camera)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection.constraints.base import Rule
from sslcore.selection.objectives.base import by_position, check_limit
from sslcore.selection.pool import Pool, is_missing

__all__ = ["Quota"]


@dataclass(frozen=True)
class Quota:
    """At most N picks of a value; what is labelled already does not count."""

    values: Sequence[Any] | ArrayLike
    """A value by row [N]; a row without one (None, NaN, ``pandas.NA``, "") is free of the quota."""
    at_most: int | Mapping[Any, int] = 1
    """For every value, or for each value by name; values that are not named are free. Of all rows, so that
    a name stays one when everything of it is labelled."""
    name: str = "quota"
    """What it is called."""

    def begin(self, pool: Pool) -> Rule:
        """Number the values."""
        given_N = by_position(self.values, pool, what=f"'{self.name}'")
        if given_N.ndim != 1:
            raise UserError(f"'{self.name}' must have one value for each row, got {list(given_N.shape)}")
        text_N = ["" if is_missing(value) else str(value) for value in given_N.tolist()]
        names, number_N = np.unique(np.array(text_N, dtype=str), return_inverse=True)
        limits = self._limits(names.tolist())
        return _Count(number_N[pool.candidates], limits)

    def _limits(self, names: list[str]) -> NDArray[np.float64]:
        """Return how many may be picked of each value [V]; "" is none."""
        if not isinstance(self.at_most, Mapping):
            limit = self._checked(self.at_most)
            return np.array([limit if name else np.inf for name in names])
        limit_of = {str(name): self._checked(limit) for name, limit in self.at_most.items()}
        unknown = sorted(set(limit_of) - set(names) | ({""} & set(limit_of)))
        if unknown:
            known = ", ".join([name for name in names if name][:10])
            has = f"which no sample has: {known}" if known else "but no sample has a value"
            raise UserError(f"'{self.name}' names '{unknown[0]}', {has}")
        return np.array([limit_of.get(name, np.inf) for name in names])

    def _checked(self, limit: Any) -> float:
        found = check_limit(limit, what="the limit", name=self.name)
        if found < 0:
            raise ConfigError(f"'{self.name}' must be >= 0, got {found:g}")
        return found


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
