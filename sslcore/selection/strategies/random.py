"""Strategy ``random``: every candidate is as likely as any other; what others must beat."""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "begin"]


class _Draw:
    """Candidates in a random order."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.order: NDArray[np.int64] = np.random.default_rng(seed).permutation(pool.candidates)
        self.done = 0

    def take(self, n: int) -> Picks:
        drawn = self.order[self.done : self.done + n]
        self.done += n
        reason = f"drawn at random from {len(self.order)} samples"
        return Picks(indices=drawn, reasons=(reason,) * n)


def begin(pool: Pool, *, seed: int) -> _Draw:
    """Draw candidates without replacement.

    Args:
        pool: What to pick from.
        seed: Seed of the draw.
    """
    return _Draw(pool, seed)


STRATEGY = Strategy(about="drawn at random; what the others must beat", begin=begin)
