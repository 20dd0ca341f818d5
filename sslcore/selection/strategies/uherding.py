"""Strategy ``uherding``: cover the pool, counting what the model is unsure of.

Source: Bae, Oliveira & Sutherland, "Uncertainty Herding: One Active Learning Method for All Label Budgets",
ICLR 2025, https://arxiv.org/abs/2412.20644: coverage with a Gaussian kernel (MaxHerding) in which each
sample counts as much as the model is unsure of it, 1 - (p1 - p2). The kernel's width is the least distance
between two labelled samples, so that with more labels it narrows, until only uncertainty is left. Without
labels the width is that of the vectors (1 for unit length) and all count alike, which is MaxHerding.

Differs: no temperature scaling, for which the paper keeps 30 % of the labels apart. Of a large pool, a
random sample competes and is covered (kernel_coverage.py).

Shapes: N vectors.
"""

import math

import torch

from sslcore.selection.head import predictions
from sslcore.selection.herding import Herding
from sslcore.selection.kernel_coverage import Coverage, bytes_needed, mean_square
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.rounded_distances import Distances
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Herding:
    """Pick the candidate that adds most to the weighted coverage, one after the other.

    Args:
        pool: With probs or labels of two classes at least, or neither.
        seed: Seed of the sample drawn from a large pool.

    Returns:
        Steps whose picks have the columns ``coverage_gain`` and ``margin`` (NaN where nothing predicts).
    """
    close_N = margin(predictions(pool)) if pool.has("predictions") else None
    coverage = Coverage(pool, seed=seed, width=_width(pool), weights_N=close_N)
    return Herding(pool, coverage, close_N)


def _width(pool: Pool) -> float:
    """Return the least distance above 0 between two labelled samples, or the vectors' own length."""
    if len(pool.labelled) >= 2:
        x_LD = torch.from_numpy(pool.vectors.exact(pool.labelled))
        distances, least = Distances(x_LD), math.inf
        for row in range(1, len(x_LD)):
            squared = distances.to_one(x_LD[row])[:row]
            least = min(least, float(torch.where(squared > 0, squared, math.inf).min()))
        if math.isfinite(least):
            return math.sqrt(least)
    return math.sqrt(mean_square(pool))


STRATEGY = Strategy(
    about="coverage in which unsure samples count more, narrowing as labels come"
    " (Bae et al. 2025, arxiv.org/abs/2412.20644)",
    begin=begin,
    estimate=lambda pool, k: bytes_needed(pool),
)
