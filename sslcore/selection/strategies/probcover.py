"""Strategy ``probcover``: balls of one radius that cover as much of the pool as they can.

Source: Yehuda, Dekel, Hacohen & Weinshall, "Active Learning Through a Covering Lens", NeurIPS 2022,
https://arxiv.org/abs/2205.11320. The radius is the largest at which 95 % of the balls are pure, where k-means
groups stand for classes, one for each class (10 when none is known). Differs: purity is
measured at 1,024 samples; when everything is covered the radius is halved and picking goes on, instead of
taking whatever comes first.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.clusters import cluster
from sslcore.selection.coverage import Grid, Kernel, top_hat
from sslcore.selection.covering import Covering, covering_bytes
from sslcore.selection.nearest import Points, nearest_points
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen

__all__ = ["STRATEGY", "begin", "pure_radius"]

PURITY = 0.95
QUERIES = 1024
CLASSES = 10
HALVINGS = 12
# The radius is smaller by at least this share of it.
SHRUNK = 1e-6


class _Balls:
    """Picks, with the radius each was made at."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.radius, self.halved = pure_radius(pool, seed=seed), 0
        self.covering = Covering(pool, top_hat(self.radius), seed=seed, when_covered=self._halve)

    def _halve(self) -> Kernel | None:
        if self.halved == HALVINGS:
            return None
        self.radius, self.halved = self.radius / 2, self.halved + 1
        return top_hat(self.radius)

    def take(self, n: int) -> Picks:
        positions, gains, radii = np.empty(n, np.int64), np.empty(n), np.empty(n)
        for i in range(n):
            positions[i : i + 1], gains[i : i + 1] = self.covering.take(1)
            radii[i] = self.radius
        reasons = tuple(
            f"its ball of radius {radius:.3g} covers {gain:.2%} of the pool that no other covers"
            for gain, radius in zip(gains, radii, strict=True)
        )
        return Picks(positions, reasons, {"coverage_gain": gains, "radius": radii}, gains=gains)


def pure_radius(pool: Pool, *, seed: int) -> float:
    """Return the largest radius at which `PURITY` of the balls hold one group only.

    Args:
        pool: The vectors, and the classes if they are known.
        seed: Seed of the groups and of the samples.
    """
    rng, screen = np.random.default_rng(seed), Screen(pool.vectors)
    everyone = pool.everyone
    group = cluster(screen, everyone, max(2, len(pool.classes) or CLASSES), rng=rng).group
    queries = np.sort(rng.choice(len(everyone), min(QUERIES, len(everyone)), replace=False))
    distances: list[NDArray[np.float64]] = []
    for number in np.unique(group[queries]):
        others = everyone[group != number]
        if len(others):
            own = everyone[queries[group[queries] == number]]
            distances.append(np.sqrt(nearest_points(screen, own, Points(screen, others))[0]))
    if not distances:
        return 1.0  # all vectors are the same: any ball holds them
    nearest = np.sort(np.concatenate(distances))
    # Pure are the balls whose radius is below the distance to the nearest vector of another group.
    first = nearest[math.floor((1 - PURITY) * len(nearest))]
    # Coverage moves vectors to a grid: smaller by more than that, or what is as far would be within.
    moved = math.sqrt(pool.vectors.dim) * Grid(pool.vectors).step
    return float(max(first / 2, first - max(moved, SHRUNK * first)))


def begin(pool: Pool, *, seed: int) -> _Balls:
    """Pick the candidate whose ball covers most of what no ball covers yet, again and again.

    Args:
        pool: What to pick from; the balls of labelled vectors cover already.
        seed: Seed of the groups that the radius comes from.

    Returns:
        Steps whose picks have the columns ``coverage_gain`` (share of the pool) and ``radius``.
    """
    return _Balls(pool, seed)


STRATEGY = Strategy(
    about="balls of one radius that cover as much as they can; good with the first labels"
    " (Yehuda et al. 2022, arxiv.org/abs/2205.11320)",
    begin=begin,
    avoids_copies=True,
    estimate=covering_bytes,
)
