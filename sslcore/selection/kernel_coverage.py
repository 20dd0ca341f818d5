"""How well picks cover a pool, and the pick that covers most more.

The objective of MaxHerding (Bae, Noh & Sutherland, "Generalized Coverage for More Robust Low-Budget Active
Learning", ECCV 2024, https://arxiv.org/abs/2407.12212), which is facility location with the kernel exp(-|x
- u|^2 / width^2): the weighted sum, over the pool, of each sample's similarity to the most similar pick.
Greedy picks reach 1 - 1/e of the best.

Of a pool with more than `MOST_CANDIDATES` candidates, so many are drawn and compete, and of what they
cover, `MOST_REFERENCES` are drawn: a random sample of the sum.

Shapes: P candidates that compete, R references, L labelled, D dimensions.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.pool import Pool

__all__ = ["MOST_CANDIDATES", "MOST_REFERENCES", "Coverage", "bytes_needed", "drawn", "mean_square"]

MOST_CANDIDATES = 16384
MOST_REFERENCES = 8192
ROWS_AT_ONCE = 1024
# Candidates that are nearly the best, and whose gain is worked out anew before one is taken.
CONTENDERS = 256
# Squared distances and gains are rounded to these shares of their largest: ties are ties.
SHARE = 2.0**-32
GAIN_SHARE = 2.0**-20


class Coverage:
    """A kernel between references and candidates, and how well each reference is covered.

    The gains of all candidates are kept up to date: a pick changes them only through the references it is
    nearer to than any pick before, which soon are few.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        seed: int,
        width: float,
        weights_N: NDArray[np.float64] | None = None,
        most_candidates: int = MOST_CANDIDATES,
        most_references: int = MOST_REFERENCES,
    ) -> None:
        """Work out the kernel; labelled samples cover from the start.

        Args:
            pool: What to pick from.
            seed: Seed of the drawn candidates and references.
            width: Of the kernel, in units of the vectors, above 0.
            weights_N: What each position counts, at least 0; None counts all as 1.
            most_candidates: Of more candidates, so many are drawn.
            most_references: Of more samples to cover, so many are drawn.
        """
        rng = np.random.default_rng(seed)
        self.positions = drawn(pool.candidates, most_candidates, rng)
        self.references = drawn(pool.candidates, most_references, rng)
        take = pool.vectors.exact
        x_RD, x_PD = torch.from_numpy(take(self.references)), torch.from_numpy(take(self.positions))
        largest = max(float(x_RD.square().sum(dim=1).max()), 1e-300)
        self.width, self._quantum = width, 2.0 ** math.ceil(math.log2(largest)) * SHARE
        counted = np.ones(len(x_RD)) if weights_N is None else weights_N[self.references]
        self.weight_R = torch.from_numpy(counted / max(counted.sum(), 1e-300)).float()
        self.kernel_RP = self._kernel(x_RD, x_PD)
        self.best_R = torch.zeros(len(x_RD))
        for start in range(0, len(pool.labelled), ROWS_AT_ONCE):
            given = torch.from_numpy(take(pool.labelled[start : start + ROWS_AT_ONCE]))
            self.best_R = torch.maximum(self.best_R, self._kernel(x_RD, given).amax(dim=1))
        self.left_P = torch.ones(len(x_PD), dtype=torch.bool)
        self._all_gains()

    def _all_gains(self) -> None:
        self.gain_P = torch.zeros(self.kernel_RP.shape[1], dtype=torch.float64)
        for rows in torch.split(torch.arange(len(self.best_R)), ROWS_AT_ONCE):
            self.gain_P += self._lacking(rows, self.best_R[rows])

    def narrow(self, width: float) -> None:
        """Change the width of the kernel; everything else stays.

        exp(-d^2 / v^2) is exp(-d^2 / w^2) to the power of w^2 / v^2, so no distance is worked out again.
        """
        power = (self.width / width) ** 2
        self.width = width
        for rows in torch.split(self.kernel_RP, ROWS_AT_ONCE):
            rows.pow_(power)
        self.best_R.pow_(power)
        self._all_gains()

    def mean_square(self) -> float:
        """Return the weighted mean squared distance of the references to what is chosen; inf: nothing is."""
        squared_R = -self.best_R.double().log() * self.width**2
        return float((squared_R * self.weight_R).sum())

    def _kernel(self, x_RD: Tensor, x_nD: Tensor) -> Tensor:
        """Return exp(-|x - y|^2 / width^2), float32 [R, n]."""
        found = torch.empty(len(x_RD), len(x_nD))
        squared_n = x_nD.square().sum(dim=1)
        for start in range(0, len(x_RD), ROWS_AT_ONCE):
            rows = x_RD[start : start + ROWS_AT_ONCE]
            squared = rows.square().sum(dim=1)[:, None] + squared_n - 2 * (rows @ x_nD.T)
            squared = squared.clamp_(min=0).div_(self._quantum).round_().mul_(self._quantum)
            found[start : start + ROWS_AT_ONCE] = squared.mul_(-1 / self.width**2).exp_()
        return found

    def _lacking(self, rows: Tensor, best: Tensor) -> Tensor:
        """Return what each candidate would add to some references that are covered as ``best`` says."""
        more = (self.kernel_RP[rows] - best[:, None]).clamp_(min=0).mul_(self.weight_R[rows, None])
        return more.sum(dim=0, dtype=torch.float64)

    def next(self) -> tuple[int, float]:
        """Return the place of the candidate that adds most, ties to the lowest position, and what it adds."""
        bound = float(self.gain_P[self.left_P].max()) - 4 * GAIN_SHARE
        close = torch.nonzero(self.left_P & (self.gain_P >= bound)).flatten()[:CONTENDERS]
        more = (self.kernel_RP[:, close].T.contiguous() - self.best_R).clamp_(min=0).mul_(self.weight_R)
        exact = more.sum(dim=1).div_(GAIN_SHARE).round_().mul_(GAIN_SHARE)
        which = int(exact.argmax())
        return int(close[which]), float(exact[which])

    def add(self, place: int) -> None:
        """Count a candidate as picked."""
        better = torch.maximum(self.best_R, self.kernel_RP[:, place])
        for rows in torch.split(torch.nonzero(better > self.best_R).flatten(), ROWS_AT_ONCE):
            self.gain_P -= self._lacking(rows, self.best_R[rows]) - self._lacking(rows, better[rows])
        self.best_R = better
        self.left_P[place] = False

    @property
    def covered(self) -> float:
        """Weighted mean of the references' similarity to the nearest pick, from 0 to 1."""
        return float(self.best_R.double() @ self.weight_R.double())


def drawn(positions: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the positions, or of more than ``most`` so many drawn at random, ascending."""
    if len(positions) <= most:
        return positions
    return np.sort(rng.choice(positions, most, replace=False))


def mean_square(pool: Pool) -> float:
    """Return the mean squared length of the vectors; 1 for vectors of unit length, or where all are 0."""
    size = float(pool.vectors.squared.mean())
    return size if size > 0 else 1.0


def bytes_needed(pool: Pool) -> int:
    """Return the bytes of a coverage of the pool."""
    rows, columns = min(len(pool.candidates), MOST_CANDIDATES), min(len(pool.candidates), MOST_REFERENCES)
    return 4 * rows * columns + 8 * (rows + 2 * columns) * pool.vectors.dim + 24 * ROWS_AT_ONCE * rows
