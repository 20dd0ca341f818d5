"""Strategy ``maxherding``: what covers the pool best under a Gaussian kernel (facility location).

Source: Bae, Noh & Sutherland, "Generalized Coverage for More Robust Low-Budget Active Learning", ECCV
2024, https://arxiv.org/abs/2407.12212. The kernel is exp(-d^2 / sigma^2) with sigma = 1 on vectors of
unit length, as there; on other vectors sigma is the root of their mean squared length, so that scale
does not matter. Greedy reaches 1 - 1/e of the best coverage of its size. How, and what is sampled above
21,000 samples: covering.py.
"""

import numpy as np

from sslcore.selection.coverage import gaussian
from sslcore.selection.covering import Covering, covering_bytes
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "begin", "kernel_width"]


class _Herding:
    """Picks with their gains in words."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.covering = Covering(pool, gaussian(kernel_width(pool)), seed=seed)
        self.covered = float(self.covering.coverage.best.double().mean()) / 2**14

    def take(self, n: int) -> Picks:
        positions, gains = self.covering.take(n)
        totals = self.covered + np.cumsum(gains)
        self.covered = float(totals[-1])
        reasons = tuple(
            f"covers most of what was not covered: mean coverage {total - gain:.4f} -> {total:.4f}"
            for gain, total in zip(gains, totals, strict=True)
        )
        return Picks(positions, reasons, {"coverage_gain": gains}, gains=gains)


def kernel_width(pool: Pool) -> float:
    """Return sigma: 1 for vectors of unit length, else the root of the mean squared length."""
    squared = pool.vectors.squared
    if not len(squared) or squared.max() == 0 or np.abs(squared - 1).max() < 0.01:
        return 1.0
    return float(np.sqrt(squared.mean()))


def begin(pool: Pool, *, seed: int) -> _Herding:
    """Pick what adds most to the mean coverage of all vectors, again and again; ties go to the lowest id.

    Args:
        pool: What to pick from; labelled vectors cover already.
        seed: Seed of the samples that stand for a large pool.

    Returns:
        Steps whose picks have the column ``coverage_gain``, which is the gain too.
    """
    return _Herding(pool, seed)


STRATEGY = Strategy(
    about="what covers the pool best under a Gaussian kernel, facility location; good without a model"
    " (Bae et al. 2024, arxiv.org/abs/2407.12212)",
    begin=begin,
    avoids_copies=True,
    estimate=covering_bytes,
)
