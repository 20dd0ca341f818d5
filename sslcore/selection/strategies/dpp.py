"""Strategy ``dpp``: the most different samples by volume, which a score may weigh.

A determinantal point process. Source: Chen, Zhang & Zhou, "Fast Greedy MAP Inference for Determinantal
Point Process", NeurIPS 2018, https://arxiv.org/abs/1709.05135. Each pick adds most to the
log-determinant of L = q_i exp(-d^2 / sigma^2) q_j, kept by an incremental Cholesky factor: O(N k (k +
D)) time and O(N k) memory. sigma is that of ``maxherding``; q is the score if one is given (above 0),
else 1. Labelled samples count as picked. Once what is left adds no volume (below 1e-9 of its own), the
highest quality comes first.

Gains are rounded to 2^-32, so that last bits that differ with threads decide nothing.

Shapes: N vectors, t factors so far.
"""

import numpy as np
import torch

from sslcore.errors import UserError
from sslcore.selection.covering import kernel_width
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen

__all__ = ["STRATEGY", "begin"]

STEP = 2.0**-32
# Of less than this share nothing is left but rounding.
EMPTY = 1e-9


class _Volume:
    """The factor, one row per pick or labelled sample that adds volume."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.screen = pool, Screen(pool.vectors)
        self.sigma = kernel_width(pool)
        self.quality = np.ones(len(pool))
        if pool.scores:
            name, self.quality = pool.the_score()
            if self.quality.min() <= 0:
                raise UserError(
                    f"strategy 'dpp' needs scores > 0, but '{name}' falls to {self.quality.min():g}"
                )
        self.everyone = np.arange(len(pool), dtype=np.int64)
        self.factor, self.count = torch.empty(0, len(pool), dtype=torch.float64), 0
        self.left = np.ones(len(pool))
        """Share of each vector's own volume that is not spanned yet [N]."""
        self.open = np.zeros(len(pool), bool)
        self.open[pool.candidates] = True
        for position in pool.labelled.tolist():
            self._span(position)

    def take(self, n: int) -> Picks:
        positions, gains = np.empty(n, np.int64), np.empty(n)
        own = self.quality**2
        for i in range(n):
            shares = np.where(self.left > EMPTY, np.rint(self.left / STEP) * STEP, 0.0)
            values = np.where(self.open, shares * own, -1.0)
            best = int(values.argmax())
            if values[best] <= 0:
                best = int(np.where(self.open, own, -1.0).argmax())
            positions[i], gains[i] = best, shares[best]
            self.open[best] = False
            self._span(best)
        reasons = tuple(
            f"{gain:.2%} of it is different from all chosen or labelled before"
            if gain > 0
            else "nothing different is left; the highest quality comes first"
            for gain in gains
        )
        with np.errstate(divide="ignore"):
            logs = np.log(gains * own[positions])
        return Picks(positions, reasons, {"volume": gains}, gains=logs)

    def _span(self, position: int) -> None:
        """Take what a vector spans from what is left of all."""
        share = float(self.left[position])
        if share <= EMPTY:
            return
        squared = self.screen.exact_to(self.everyone, self.screen.vectors.exact(self.everyone[[position]])[0])
        row = torch.from_numpy(np.exp(squared / -(self.sigma**2)))
        if self.count:
            row -= self.factor[: self.count, position] @ self.factor[: self.count]
        row /= share**0.5
        if self.count == len(self.factor):
            grown = torch.empty(max(64, 2 * self.count), len(self.pool), dtype=torch.float64)
            grown[: self.count] = self.factor[: self.count]
            self.factor = grown
        self.factor[self.count] = row
        self.count += 1
        self.left = np.maximum(self.left - row.numpy() ** 2, 0.0)
        self.left[position] = 0.0


def begin(pool: Pool, *, seed: int) -> _Volume:
    """Pick what adds most volume to what is labelled or picked, again and again; ties go to the lowest id.

    Args:
        pool: What to pick from; a score, or one that is called ``score``, weighs it.
        seed: Not used.

    Returns:
        Steps whose picks have the column ``volume`` (share that is new, 0 to 1); the gain is the logarithm of
        what the determinant is multiplied by.

    Raises:
        UserError: If a score is not above 0, or it is not clear which score is meant.
    """
    del seed
    return _Volume(pool)


def _estimate(pool: Pool, k: int) -> int:
    rows = min(2 * (k + len(pool.labelled)), len(pool))
    return 8 * len(pool) * (rows + 12) + 2 * 8 * len(pool) * pool.vectors.dim


STRATEGY = Strategy(
    about="the most different samples by volume, may be weighed by a score; small and mixed batches"
    " (determinantal point process, Chen et al. 2018, arxiv.org/abs/1709.05135)",
    begin=begin,
    estimate=_estimate,
)
