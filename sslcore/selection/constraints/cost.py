"""Constraint ``cost``: a budget in money, minutes or boxes: the costs of the picks add up to no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection.constraints.base import Rule
from sslcore.selection.objectives.base import check_limit, numbers
from sslcore.selection.pool import Pool

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """Pick only what still fits."""

    values: Sequence[Any] | ArrayLike | str
    """Cost of each row, >= 0 [N], or a name of ``scores``; only those of candidates are read."""
    at_most: float
    """What all picks together may cost."""
    name: str = "cost"
    """What it is called."""

    def begin(self, pool: Pool) -> Rule:
        """Check the costs."""
        if not check_limit(self.at_most, what="the budget", name=self.name) > 0:
            raise ConfigError(f"the budget of '{self.name}' must be > 0, got {self.at_most}")
        found = numbers(self.values, pool, what=f"'{self.name}'")
        if (found < 0).any():
            raise UserError(f"'{self.name}' must be >= 0, got {found.min():g}")
        return _Purse(found, self.at_most)


class _Purse:
    def __init__(self, cost_P: NDArray[np.float64], left: float) -> None:
        self.cost_P, self.left = cost_P, left

    def allowed(self) -> NDArray[np.bool_]:
        # 0.1 ten times is a little more than 1.
        fits: NDArray[np.bool_] = self.cost_P <= self.left + 1e-9
        return fits

    def fits(self, places: NDArray[np.int64]) -> bool:
        return bool(self.cost_P[places].sum() <= self.left + 1e-9)

    def add(self, place: int) -> None:
        self.left -= float(self.cost_P[place])
