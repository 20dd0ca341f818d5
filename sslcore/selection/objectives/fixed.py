"""What objectives share whose values no pick changes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fixed"]


class Fixed:
    """Values that stay as they are."""

    def __init__(
        self,
        values_P: NDArray[np.float64],
        figures_P: NDArray[np.float64],
        words: Callable[[float], str],
        *,
        allowed_P: NDArray[np.bool_] | None = None,
        largest_sum: float | None = None,
    ) -> None:
        """Keep them.

        Args:
            values_P: In [FLOOR, 1].
            figures_P: What they come from, in its own unit.
            words: Says a figure in words.
            allowed_P: Which candidates may be picked at all; None: all.
            largest_sum: Nothing is picked with which the figures of the picks would add up to more.
        """
        self.values_P, self.figures_P, self.say = values_P, figures_P, words
        self.allowed_P, self.largest_sum, self.sum = allowed_P, largest_sum, 0.0

    def values(self) -> NDArray[np.float64]:
        """Return the value of each candidate [P]."""
        return self.values_P

    def allowed(self) -> NDArray[np.bool_] | None:
        """Return which candidates may be picked [P]; None: all."""
        if self.largest_sum is None:
            return self.allowed_P
        fits: NDArray[np.bool_] = self.sum + self.figures_P <= self.largest_sum * (1 + 1e-12)
        return fits if self.allowed_P is None else fits & self.allowed_P

    def fits(self, places: NDArray[np.int64]) -> bool:
        """Return whether several candidates keep to the largest sum together."""
        limit = np.inf if self.largest_sum is None else self.largest_sum * (1 + 1e-12)
        return bool(self.sum + self.figures_P[places].sum() <= limit)

    def figure(self, place: int) -> float:
        """Return the figure of a candidate."""
        return float(self.figures_P[place])

    def words(self, place: int) -> str:
        """Return it in words."""
        return self.say(self.figure(place))

    def add(self, place: int) -> None:
        """Add to the sum."""
        self.sum += float(self.figures_P[place])
