"""Objective ``typicality``: among many neighbours, as in TypiClust.

Value: 1 / (mean distance to the nearest neighbours), over the largest of the candidates. Stop rule: a least
typicality. Hacohen, Dekel & Weinshall, ICML 2022, https://arxiv.org/abs/2202.02794.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.errors import ConfigError
from sslcore.selection.objectives.base import State, check_limit, check_strength, share_of_largest
from sslcore.selection.objectives.fixed import Fixed
from sslcore.selection.pool import Pool

__all__ = ["Typicality", "mean_neighbour_distance"]

PAIRS_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Typicality:
    """Prefer what lies among many others."""

    strength: float = 1.0
    """Power in the product."""
    neighbours: int = 20
    """How many neighbours the mean distance is taken over; fewer where there are fewer samples."""
    least: float = 0.0
    """Nothing less typical than this, in the unit of 1 / distance, is picked."""
    name: str = "typicality"
    """Column of the typicality."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Find the neighbours among all samples, labelled or not."""
        del seed
        check_strength(self.strength)
        least = check_limit(self.least, what="the least", name=self.name)
        if not isinstance(self.neighbours, Integral) or self.neighbours < 1:
            raise ConfigError(f"neighbours must be >= 1, got {self.neighbours}")
        mean_P = mean_neighbour_distance(pool, self.neighbours)
        # Copies only: as typical as can be. A tenth of the least other distance keeps it finite.
        above = mean_P[mean_P > 0]
        typical_P = 1 / np.maximum(mean_P, 0.1 * float(above.min()) if len(above) else 1.0)
        return Fixed(
            share_of_largest(typical_P),
            typical_P,
            lambda figure: f"its neighbours are {1 / figure:.2f} away on average",
            allowed_P=typical_P >= least,
        )


def mean_neighbour_distance(pool: Pool, neighbours: int) -> NDArray[np.float64]:
    """Return the mean distance of each candidate to its nearest neighbours, itself left out [P]."""
    x_ND = torch.from_numpy(pool.vectors.exact(np.arange(len(pool))))
    squared_N = x_ND.square().sum(dim=1)
    quantum = max(float(squared_N.max()), 1e-300) * 2.0**-32
    count = min(neighbours, len(pool) - 1)
    if count == 0:
        return np.zeros(len(pool.candidates))
    found = []
    for rows in torch.split(torch.from_numpy(pool.candidates), max(1, PAIRS_AT_ONCE // len(pool))):
        squared = squared_N[rows, None] + squared_N - 2 * (x_ND[rows] @ x_ND.T)
        squared = squared.clamp_(min=0).div_(quantum).round_().mul_(quantum)
        squared[torch.arange(len(rows)), rows] = torch.inf
        found.append(squared.topk(count, largest=False).values.sqrt().mean(dim=1))
    return torch.cat(found).numpy()
