"""What a constraint is: which candidates may be picked, whatever the objectives say.

Shapes: P candidates.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.pool import Pool

__all__ = ["Constraint", "Rule"]


class Rule(Protocol):
    """A constraint at work on a pool."""

    def allowed(self) -> NDArray[np.bool_]:
        """Return which candidates may be picked now [P]."""

    def fits(self, places: NDArray[np.int64]) -> bool:
        """Return whether several candidates, each of them allowed, may be picked together."""

    def add(self, place: int) -> None:
        """Count a candidate as picked."""


class Constraint(Protocol):
    """A hard limit."""

    @property
    def name(self) -> str:
        """What it is called where it ends a selection."""

    def begin(self, pool: Pool) -> Rule:
        """Return the constraint at work on a pool."""
