"""Strategy ``coral``: distance to what is chosen, times a score; farthest-first that prefers high scores.

Source: the sampler CORAL of lightly's active learning (coreset x active-learning score), whose later form
is a greedy choice on the product of objectives; the traversal is that of ``kcenter``. With nothing labelled
the first pick is the candidate of the highest score. A score of 0 is picked last, in order of the ids.
"""

import math

import numpy as np

from sslcore.errors import UserError
from sslcore.selection.farthest import NOBODY, FarthestFirst
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "begin"]


class _Weighted:
    """The traversal, with a reason for each pick."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.name, self.scores = pool.the_score()
        candidates = self.scores[pool.candidates]
        if candidates.min() < 0:
            raise UserError(
                f"strategy 'coral' needs scores >= 0, but '{self.name}' falls to {candidates.min():g}"
            )
        self.search = FarthestFirst(pool, weights=candidates)

    def take(self, n: int) -> Picks:
        found = self.search.take(n)
        distances = np.where(found.nearest == NOBODY, math.nan, np.sqrt(found.squared))
        scores = self.scores[found.positions]
        reasons = tuple(self._reason(*pick) for pick in zip(found.nearest, scores, distances, strict=True))
        columns = {"distance": distances, self.name: scores}
        return Picks(found.positions, reasons, columns, gains=distances * scores)

    def _reason(self, nearest: int, score: float, distance: float) -> str:
        if nearest == NOBODY:
            return f"the highest {self.name} ({score:.3g}): the first pick, with nothing labelled yet"
        name = self.pool.name(int(nearest))
        return f"{self.name} {score:.3g} times distance {distance:.2f}; nearest is {name}"


def begin(pool: Pool, *, seed: int) -> _Weighted:
    """Pick the candidate of the largest score x distance to everything labelled or picked, again and again.

    Args:
        pool: What to pick from; one score, or one that is called ``score``.
        seed: Not used.

    Returns:
        Steps whose picks have the columns ``distance`` (NaN for a first pick) and the score.

    Raises:
        UserError: If a score is below 0, or it is not clear which score is meant.
    """
    del seed
    return _Weighted(pool)


def _estimate(pool: Pool, k: int) -> int:
    return 50 * len(pool.candidates) + 8 * k * pool.vectors.dim + 64_000_000


STRATEGY = Strategy(
    about="distance to what is chosen times a score: coverage that prefers high scores (lightly's CORAL)",
    begin=begin,
    needs=frozenset({"scores"}),
    estimate=_estimate,
)
