"""Strategy ``stratified``: random draws that keep the share of every class.

A candidate's class is its label if that is known (from metadata, an earlier round or another person),
else what a model predicts. At each pick the class that is farthest behind its share of the pool comes
next (ties to the first class), labelled samples counted, so that every prefix is as near to the shares
as it can be. Source: proportional allocation, Neyman 1934, https://doi.org/10.2307/2342192.
"""

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import UNKNOWN, Pool
from sslcore.selection.scaled import block_bytes, given_blocks

__all__ = ["STRATEGY", "begin"]


class _Strata:
    """Candidates of each class in a random order."""

    def __init__(self, pool: Pool, seed: int) -> None:
        stratum = _strata(pool)
        _, self.stratum = np.unique(stratum, return_inverse=True)
        self.names = [_name(pool, number) for number in np.unique(stratum)]
        everyone = pool.everyone
        self.share = np.bincount(self.stratum[everyone], minlength=len(self.names)) / len(everyone)
        self.count = np.bincount(self.stratum[pool.labelled], minlength=len(self.share)).astype(np.float64)
        order = np.random.default_rng(seed).permutation(pool.candidates)
        self.queues = [
            order[self.stratum[order] == number].tolist()[::-1] for number in range(len(self.share))
        ]

    def take(self, n: int) -> Picks:
        positions, reasons = np.empty(n, np.int64), []
        for i in range(n):
            behind = self.share * (self.count.sum() + 1) - self.count
            behind[[not queue for queue in self.queues]] = -np.inf
            number = int(np.round(behind, 9).argmax())
            positions[i] = self.queues[number].pop()
            self.count[number] += 1
            reasons.append(
                f"drawn at random among {self.names[number]}, {self.share[number]:.1%} of the pool"
            )
        return Picks(positions, tuple(reasons), {"share": self.share[self.stratum[positions]]})


def _strata(pool: Pool) -> NDArray[np.int64]:
    """Return the class of each position, known or predicted, `UNKNOWN` where there is neither."""
    known = np.full(len(pool), UNKNOWN, np.int64) if pool.labels is None else pool.labels
    if pool.probs is not None:
        likeliest = np.empty(len(pool), np.int64)
        for part, p_nC in given_blocks(pool):
            likeliest[part] = p_nC.argmax(axis=1)
        return np.where(known == UNKNOWN, likeliest, known)
    if (known[pool.candidates] == UNKNOWN).all():
        raise UserError(
            "strategy 'stratified' needs the class of candidates: probs=, or labels= with labelled= the rows "
            "that are given already"
        )
    return known


def _name(pool: Pool, number: int) -> str:
    if number == UNKNOWN:
        return "samples of no known class"
    return f"class {pool.classes[number] if number < len(pool.classes) else number}"


def begin(pool: Pool, *, seed: int) -> _Strata:
    """Draw candidates at random, class by class in proportion.

    Args:
        pool: What to pick from, with labels of candidates or probabilities.
        seed: Seed of the draw.

    Returns:
        Steps whose picks have the column ``share``, of the class in the pool.

    Raises:
        UserError: If no class of a candidate is known or predicted.
    """
    return _Strata(pool, seed)


STRATEGY = Strategy(
    about="random draws that keep the share of every class, known or predicted",
    begin=begin,
    estimate=lambda pool, k: 128 * len(pool) + block_bytes(pool),
)
