"""Objective ``weights``: in proportion to a number, from scores, metadata or chance.

Value: the number over the largest of the candidates; numbers must not be negative. Stop rule: a largest
sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sslcore.errors import UserError
from sslcore.selection.given import check_whole
from sslcore.selection.objectives.base import State, check_limit, check_strength, numbers, share_of_largest
from sslcore.selection.objectives.fixed import Fixed
from sslcore.selection.pool import Pool

__all__ = ["RandomWeights", "Weights"]


@dataclass(frozen=True)
class Weights:
    """Prefer what has a large number."""

    values: Sequence[Any] | ArrayLike | str
    """Numbers >= 0 by row [N], or a name of ``scores``; only those of candidates are read."""
    strength: float = 1.0
    """Power in the product; negative prefers small numbers."""
    largest_sum: float | None = None
    """Nothing is picked with which the numbers of the picks would add up to more."""
    name: str = "weights"
    """Column of the numbers."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Check the numbers."""
        del seed
        check_strength(self.strength)
        largest = self.largest_sum
        if largest is not None:
            largest = check_limit(largest, what="the largest sum", name=self.name)
        found = numbers(self.values, pool, what=f"'{self.name}'")
        if (found < 0).any():
            raise UserError(f"'{self.name}' must be >= 0 to be weights, got {found.min():g}; use a threshold")
        name = self.name
        return Fixed(
            share_of_largest(found),
            found,
            lambda figure: f"{name} {figure:.4g}",
            largest_sum=largest,
        )


@dataclass(frozen=True)
class RandomWeights:
    """Prefer at random."""

    strength: float = 1.0
    """Power in the product."""
    seed: int = 0
    """Seed of the numbers, with the seed of the selection."""
    name: str = "random"
    """Column of the numbers."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Draw a number from (0, 1] for each position."""
        check_strength(self.strength)
        check_whole(self.seed, name=f"the seed of '{self.name}'", least=0)
        rng = np.random.default_rng([seed, self.seed])
        drawn = (1 - rng.random(len(pool)))[pool.candidates]
        return Fixed(drawn.clip(1e-6), drawn, lambda figure: f"drawn {figure:.2f} at random")
