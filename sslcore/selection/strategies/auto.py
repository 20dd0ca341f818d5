"""Strategy ``auto``: cover the pool as closely as the picks allow; with labels, unsure samples count more.

Coverage first: greedy picks maximize how well the pool is covered, as in MaxHerding (Bae, Noh & Sutherland,
ECCV 2024, https://arxiv.org/abs/2407.12212), and once there are labels each sample counts as much as a
classifier is unsure of it, as in UHerding (Bae, Oliveira & Sutherland, ICLR 2025,
https://arxiv.org/abs/2412.20644).

Differs, in the width of the kernel, which decides how far a pick reaches. There it is 1 and then the least
distance between two labelled samples, which the closest pair of all decides. Here it is the root mean
squared distance of the pool to what is chosen or labelled, taken anew whenever that is half as many again:
few picks stand for the large groups, many for the small ones, and with many labels it narrows until
uncertainty alone is left. There is nothing to tune and no switch.

Greedy: any prefix is the smaller selection. Shapes: N vectors.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.coverage import Coverage, bytes_needed
from sslcore.selection.head import predictions
from sslcore.selection.herding import Herding
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY", "begin"]

# The width is taken anew when so many times the samples are chosen, and not before there are `FEW`.
GROWTH = 1.5
FEW = 10


class _Narrowing:
    """Coverage whose kernel narrows as picks and labels come."""

    def __init__(self, pool: Pool, seed: int) -> None:
        close_N = margin(predictions(pool)) if pool.has("predictions") else None
        width = _spread(pool)
        coverage = Coverage(pool, seed=seed, width=width, weights_N=close_N)
        self.herding = Herding(pool, coverage, close_N)
        self.coverage, self.width = coverage, width
        self.chosen = len(pool.labelled)
        if self.chosen:
            self._narrow()
        self.next_at = max(self.chosen, FEW) * GROWTH

    def take(self, n: int) -> Picks:
        """Return the next ``n``."""
        taken: Picks | None = None
        left = n
        while left:
            if self.chosen >= self.next_at:
                self._narrow()
                self.next_at = self.chosen * GROWTH
            step = min(left, math.ceil(self.next_at) - self.chosen)
            more = self.herding.take(step)
            taken = more if taken is None else taken.then(more)
            self.chosen += step
            left -= step
        assert taken is not None
        return taken

    def _narrow(self) -> None:
        mean = self.coverage.mean_square()
        # Where everything is covered by copies of it, any width does.
        if math.isfinite(mean) and mean > 0:
            self.coverage.narrow(math.sqrt(mean))


def _spread(pool: Pool) -> float:
    """Return the root mean squared distance of all vectors to their mean; 1 where there is none."""
    total, squared = np.zeros(pool.vectors.dim), float(pool.vectors.squared.mean())
    for _, block in pool.vectors.blocks():
        total += block.sum(axis=0, dtype=np.float64)
    mean: NDArray[np.float64] = total / len(pool)
    spread = squared - float(mean @ mean)
    return math.sqrt(spread) if spread > 1e-12 * squared else 1.0


def begin(pool: Pool, *, seed: int) -> _Narrowing:
    """Pick the candidate that adds most to the coverage, one after the other.

    Args:
        pool: With probs or labels of two classes at least, or neither.
        seed: Seed of the sample drawn from a large pool.

    Returns:
        Steps whose picks have the columns ``coverage_gain`` and ``margin`` (NaN where nothing predicts).
    """
    return _Narrowing(pool, seed)


STRATEGY = Strategy(
    about="coverage that narrows as picks come; with labels, unsure samples count more; the default"
    " (after Bae et al. 2024 and 2025, arxiv.org/abs/2412.20644)",
    begin=begin,
    estimate=lambda pool, k: bytes_needed(pool),
)
