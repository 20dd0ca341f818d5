"""What an objective is: a value in (0, 1] for each candidate, which may change with every pick.

Shapes: N rows, P candidates.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection.given import as_values
from sslcore.selection.pool import Pool, is_missing

__all__ = [
    "FLOOR",
    "Objective",
    "State",
    "by_position",
    "check_limit",
    "check_strength",
    "numbers",
    "share_of_largest",
]

# The least value: 0 would forbid a sample whatever the other objectives say, and has no logarithm.
FLOOR = 1e-6


class State(Protocol):
    """An objective at work on a pool."""

    def values(self) -> NDArray[np.float64]:
        """Return the value of each candidate now, in [FLOOR, 1], [P]."""

    def allowed(self) -> NDArray[np.bool_] | None:
        """Return which candidates its stop rule still allows [P]; None: all."""

    def fits(self, places: NDArray[np.int64]) -> bool:
        """Return whether its stop rule allows several candidates, each of them allowed, together."""

    def figure(self, place: int) -> float:
        """Return what the objective goes by, in its own unit, for a candidate; NaN where it has none yet."""

    def words(self, place: int) -> str:
        """Return the same in words."""

    def add(self, place: int) -> None:
        """Count a candidate as picked."""


class Objective(Protocol):
    """What to weigh, and how much."""

    @property
    def name(self) -> str:
        """What its column is called."""

    @property
    def strength(self) -> float:
        """Power of its value in the product; negative turns it round, 0 only records it."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Return the objective at work on a pool."""


def check_strength(strength: float) -> None:
    """Refuse a strength that is no finite number.

    Raises:
        ConfigError: If it is NaN or infinite.
    """
    if not isinstance(strength, Real) or not np.isfinite(float(strength)):
        raise ConfigError(f"strength must be a finite number, got {strength}")


def check_limit(value: Any, *, what: str, name: str) -> float:
    """Return a limit as a float.

    Raises:
        ConfigError: If it is NaN or no number.
    """
    if not isinstance(value, Real) or value != value:
        raise ConfigError(f"{what} of '{name}' must be a number, got {value!r}")
    return float(value)


def share_of_largest(values_P: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers >= 0 as shares of the largest of them, in [FLOOR, 1]; all 1 where all are 0."""
    largest = float(values_P.max(initial=0.0))
    if largest <= 0:
        return np.ones(len(values_P))
    return np.clip(values_P / largest, FLOOR, 1.0)


def by_position(values: Sequence[Any] | ArrayLike, pool: Pool, *, what: str) -> NDArray[Any]:
    """Return something given by row in the order of positions.

    Values of a list stay what they are: an array of names and NaN would hold the text "nan".

    Raises:
        UserError: If there is not one for each row, or rows differ in length.
    """
    array = as_values(values, what=what)
    count = len(array) if array.ndim else 0
    if count != len(pool):
        raise UserError(f"{what} must be one for each of {len(pool)} embeddings, got {count}")
    return array[pool.vectors.rows(np.arange(len(pool), dtype=np.int64))]


def numbers(values: Sequence[Any] | ArrayLike | str, pool: Pool, *, what: str) -> NDArray[np.float64]:
    """Return finite numbers of the candidates [P]: given by row, or a name of the pool's scores.

    Rows that cannot be picked need none.

    Raises:
        UserError: If there is no such score, or one of a candidate is no finite number.
    """
    if isinstance(values, str):
        if values not in pool.scores:
            known = ", ".join(sorted(pool.scores)) or "none"
            raise UserError(f"{what} names the scores '{values}', but scores= holds {known}")
        return pool.scores[values][pool.candidates]
    given = by_position(values, pool, what=what)
    if given.ndim != 1:
        raise UserError(f"{what} must be one number for each row, got {list(given.shape)}")
    chosen = given[pool.candidates]
    if chosen.dtype == object:
        chosen = np.array([np.nan if is_missing(value) else value for value in chosen], dtype=object)
    try:
        found = chosen.astype(np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{what} must be numbers; for names use balance or a quota") from None
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found)).sum())
        raise UserError(
            f"{what} must be finite numbers; {bad} of {len(found)} that can be picked are missing or infinite"
        )
    return found
