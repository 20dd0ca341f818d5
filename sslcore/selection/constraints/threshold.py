"""Constraint ``threshold``: a number must be above or below a limit. Applied before anything is picked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError
from sslcore.selection.constraints.base import Rule
from sslcore.selection.objectives.base import check_limit, numbers
from sslcore.selection.pool import Pool

__all__ = ["Threshold"]

# Limit -> how a number keeps it.
KEEPS = {"at_least": np.greater_equal, "at_most": np.less_equal, "above": np.greater, "below": np.less}


@dataclass(frozen=True)
class Threshold:
    """Only what keeps all the limits given."""

    values: Sequence[Any] | ArrayLike | str
    """Numbers by row [N], or a name of ``scores``; only those of candidates are read."""
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
        limits = {
            way: check_limit(getattr(self, way), what=way, name=self.name)
            for way in KEEPS
            if getattr(self, way) is not None
        }
        if not limits:
            raise ConfigError(f"'{self.name}' must give one of {', '.join(KEEPS)}")
        found = numbers(self.values, pool, what=f"'{self.name}'")
        keeps = np.ones(len(found), bool)
        for way, limit in limits.items():
            keeps &= KEEPS[way](found, limit)
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
