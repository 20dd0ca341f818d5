"""Objective ``diversity``: far from everything chosen or labelled, as in k-center.

Value: the distance to the nearest labelled or picked sample, over the largest such distance now; 1 for all
before there is anything to be far from. Stop rule: a least distance.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.selection.objectives.base import State, check_strength, share_of_largest
from sslcore.selection.pool import Pool
from sslcore.selection.rounded_distances import Distances

__all__ = ["Diversity"]


@dataclass(frozen=True)
class Diversity:
    """Prefer what is far from everything chosen."""

    strength: float = 1.0
    """Power in the product."""
    least_distance: float = 0.0
    """Nothing nearer than this to what is chosen or labelled is picked."""
    name: str = "diversity"
    """Column of the distances."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Work out the distances to what is labelled."""
        del seed
        check_strength(self.strength)
        return _Distance(pool, self.least_distance)


class _Distance:
    def __init__(self, pool: Pool, least: float) -> None:
        self.pool, self.least = pool, least
        self.distances = Distances(torch.from_numpy(pool.vectors.exact(pool.candidates)))
        self.squared_P = torch.full((len(pool.candidates),), math.inf, dtype=torch.float64)
        self.nearest_P = np.full(len(pool.candidates), -1, np.int64)
        if len(pool.labelled):
            given = torch.from_numpy(pool.vectors.exact(pool.labelled))
            self.squared_P, which_P = self.distances.to_nearest(given)
            self.nearest_P = pool.labelled[which_P.numpy()]

    def values(self) -> NDArray[np.float64]:
        if math.isinf(float(self.squared_P[0])):
            return np.ones(len(self.squared_P))
        return share_of_largest(self.squared_P.sqrt().numpy())

    def allowed(self) -> NDArray[np.bool_] | None:
        if self.least <= 0:
            return None
        allowed: NDArray[np.bool_] = self.squared_P.sqrt().numpy() >= self.least
        return allowed

    def fits(self, places: NDArray[np.int64]) -> bool:
        del places
        return True

    def figure(self, place: int) -> float:
        squared = float(self.squared_P[place])
        return math.nan if math.isinf(squared) else math.sqrt(squared)

    def words(self, place: int) -> str:
        if math.isinf(float(self.squared_P[place])):
            return "nothing is chosen or labelled yet"
        nearest = self.pool.name(int(self.nearest_P[place]))
        return f"{self.figure(place):.2f} from the nearest chosen or labelled, {nearest}"

    def add(self, place: int) -> None:
        squared_P = self.distances.to_one(self.distances.x_ND[place])
        closer = (squared_P < self.squared_P).numpy()
        self.squared_P = torch.minimum(self.squared_P, squared_P)
        self.nearest_P[closer] = self.pool.candidates[place]
