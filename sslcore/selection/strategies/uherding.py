"""Strategy ``uherding``: cover the pool, counting what the model is unsure of.

Source: Bae, Oliveira & Sutherland, "Uncertainty Herding: One Active Learning Method for All Label Budgets",
ICLR 2025, https://arxiv.org/abs/2412.20644: coverage with a Gaussian kernel (MaxHerding) in which each
sample counts as much as the model is unsure of it, 1 - (p1 - p2). The kernel's width is the least distance
between two labelled samples, so that with more labels it narrows, until only uncertainty is left. Without
labels the width is that of the vectors (1 for unit length) and all count alike, which is MaxHerding.

The classifier is made less sure by temperature scaling, as there (calibration.py). How coverage is computed,
and what is sampled above 11,500 samples: covering.py.

Shapes: N vectors.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.calibration import calibrated_predictions
from sslcore.selection.coverage import Grid, gaussian
from sslcore.selection.covering import (
    FEW_CANDIDATES,
    FEW_REFERENCES,
    Covering,
    covering_bytes,
    kernel_width,
)
from sslcore.selection.head import head_bytes
from sslcore.selection.herding import Herding
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import measured
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY", "begin"]

ROWS_AT_ONCE = 1024


def begin(pool: Pool, *, seed: int) -> Herding:
    """Pick the candidate that adds most to the weighted coverage, one after the other.

    Args:
        pool: With probs or labels of two classes at least, or neither.
        seed: Seed of the labels held out for the temperature, and of the samples of a large pool.

    Returns:
        Steps whose picks have the columns ``coverage_gain`` and ``margin`` (NaN where nothing predicts).
    """
    predicts = pool.has("predictions")
    close_N = np.full(len(pool), math.nan)
    if predicts:
        close_N = measured(margin, calibrated_predictions(pool, seed=seed))
    weights_N = close_N if predicts else None
    covering = Covering(
        pool,
        gaussian(_width(pool)),
        seed=seed,
        weights_N=weights_N,
        references=FEW_REFERENCES,
        candidates=FEW_CANDIDATES,
    )
    return Herding(covering, close_N)


def _width(pool: Pool) -> float:
    """Return the least distance above 0 between two labelled samples; without any, that of the vectors."""
    squared = _least_squared(Grid(pool.vectors), pool.labelled)
    return math.sqrt(squared) if math.isfinite(squared) else kernel_width(pool)


def _least_squared(grid: Grid, positions: NDArray[np.int64]) -> float:
    least = math.inf
    for top in range(0, len(positions), ROWS_AT_ONCE):
        rows = grid.rows(positions[top : top + ROWS_AT_ONCE])
        for left in range(0, top + 1, ROWS_AT_ONCE):
            tile = grid.squared(rows, grid.rows(positions[left : left + ROWS_AT_ONCE]))
            least = min(least, float(np.where(tile > 0, tile, math.inf).min()))
    return least


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: what a model says; after that, a kernel."""
    covered = covering_bytes(pool, k, references=FEW_REFERENCES, candidates=FEW_CANDIDATES)
    # Sums with weights take a block in float64.
    return max(covered + 80_000_000, head_bytes(pool)) + 24 * len(pool)


STRATEGY = Strategy(
    about="coverage in which unsure samples count more, narrowing as labels come"
    " (Bae et al. 2025, arxiv.org/abs/2412.20644)",
    begin=begin,
    avoids_copies=True,
    estimate=_estimate,
)
