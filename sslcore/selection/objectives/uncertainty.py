"""Objective ``uncertainty``: where a model is unsure.

Value: `margin`, `least_confidence` or `entropy` of the class probabilities, each from 0 (sure) to 1
(scorers/). Without given probabilities a classifier is fitted on the labels (head.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sslcore.choices import check_choice
from sslcore.selection.head import predictions, steady
from sslcore.selection.objectives.base import FLOOR, State, by_position, check_strength
from sslcore.selection.objectives.fixed import Fixed
from sslcore.selection.pool import Pool
from sslcore.selection.scorers.probabilities import check_probabilities, entropy, least_confidence, margin

__all__ = ["MEASURES", "Uncertainty"]

MEASURES = {"margin": margin, "least_confidence": least_confidence, "entropy": entropy}


@dataclass(frozen=True)
class Uncertainty:
    """Prefer what a model is unsure of."""

    probs: ArrayLike | None = None
    """Class probabilities by row [N, C], of which only those of candidates are read; None takes those of the
    pool, or fits a classifier on its labels."""
    measure: str = "margin"
    """A name from `MEASURES`."""
    strength: float = 1.0
    """Power in the product."""
    name: str = "uncertainty"
    """Column of the measure."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Work out the measure."""
        del seed
        check_strength(self.strength)
        check_choice(str(self.measure), MEASURES, name="the measure of uncertainty")
        if self.probs is None:
            p_PC = predictions(pool)[pool.candidates]
        else:
            given = by_position(self.probs, pool, what=f"'{self.name}'")
            p_PC = steady(check_probabilities(given[pool.candidates], what=f"'{self.name}'", ndim=2))
        unsure = MEASURES[self.measure](p_PC)
        words = f"the model is unsure ({self.measure.replace('_', ' ')} "
        return Fixed(np.clip(unsure, FLOOR, 1.0), unsure, lambda figure: f"{words}{figure:.2f})")
