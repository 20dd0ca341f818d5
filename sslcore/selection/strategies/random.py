"""Strategy ``random``: every candidate is as likely as any other; what others must beat."""

import numpy as np

from sslcore.selection.picks import Picks
from sslcore.selection.pool import Pool

__all__ = ["pick"]


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Draw ``k`` candidates without replacement.

    A larger ``k`` with the same seed and pool starts with the same picks.

    Args:
        pool: What to pick from.
        k: How many, at most the candidates.
        seed: Seed of the draw.
    """
    drawn = np.random.default_rng(seed).permutation(pool.candidates)[:k]
    reason = f"drawn at random from {len(pool.candidates)} samples"
    return Picks(indices=drawn, reasons=(reason,) * k)
