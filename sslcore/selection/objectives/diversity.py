"""Objective ``diversity``: far from everything chosen or labelled, as in k-center.

Value: the distance to the nearest labelled or picked sample, over the largest such distance now; 1 for all
before there is anything to be far from. Stop rule: a least distance.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.nearest import NONE, Points, nearest_points
from sslcore.selection.objectives.base import State, check_limit, check_strength, share_of_largest
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen

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
        return _Distance(pool, check_limit(self.least_distance, what="the least distance", name=self.name))


class _Distance:
    def __init__(self, pool: Pool, least: float) -> None:
        self.pool, self.least, self.screen = pool, least, Screen(pool.vectors)
        self.squared_P = np.full(len(pool.candidates), math.inf)
        self.nearest_P = np.full(len(pool.candidates), -1, np.int64)
        if len(pool.labelled):
            self._see(pool.labelled)

    def _see(self, positions: NDArray[np.int64]) -> None:
        """Count some positions as chosen."""
        points = Points(self.screen, positions)
        self.squared_P, which_P = nearest_points(
            self.screen, self.pool.candidates, points, best=self.squared_P
        )
        closer = which_P != NONE
        self.nearest_P[closer] = positions[which_P[closer]]

    def values(self) -> NDArray[np.float64]:
        if math.isinf(float(self.squared_P[0])):
            return np.ones(len(self.squared_P))
        return share_of_largest(np.sqrt(self.squared_P))

    def allowed(self) -> NDArray[np.bool_] | None:
        if self.least <= 0:
            return None
        allowed: NDArray[np.bool_] = np.sqrt(self.squared_P) >= self.least
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
        self._see(self.pool.candidates[place : place + 1])
