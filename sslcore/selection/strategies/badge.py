"""Strategy ``badge``: samples whose gradients are long and point in different directions.

Source: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds", ICLR 2020,
https://arxiv.org/abs/1906.03671. The gradient of a sample, for the label the model itself would give, is g
= a h', with a = p - onehot(argmax p) and h what the last layer reads: long where the model is unsure.
Batches are drawn as k-means++ draws centres: each in proportion to its squared distance to the nearest one
before; the first is the longest gradient.

The gradients (C x D numbers each) are never made: |g_i - g_j|^2 = |a_i|^2 |h_i|^2 + |a_j|^2 |h_j|^2 - 2
(a_i . a_j)(h_i . h_j).

Nor are all distances to each new centre. A distance to the nearest centre only shrinks, so a stale one is
an upper bound: draw in proportion to the bounds, work out the true distance to the few centres since, and
accept with probability true / bound. What is accepted is drawn in proportion to the true distances,
exactly. All bounds are brought up to date once in `CENTRES_AT_ONCE` picks, as one product of matrices.

Shapes: P candidates, C classes, D dimensions, T centres not yet in the bounds.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.head import head_bytes, pool_head, predicted, predictions, steady
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled

__all__ = ["STRATEGY", "begin"]

CENTRES_AT_ONCE = 64
# Squared distances are multiples of this share of the largest: the same for any number of threads.
SHARE = 2.0**-34


class _Drawing:
    """Gradients in two factors, and how far each is from the nearest centre at most."""

    def __init__(self, pool: Pool, p_NC: NDArray[np.float64], h_PD: NDArray[np.float64], seed: int) -> None:
        self.pool, self.rng = pool, np.random.default_rng(seed)
        at = pool.candidates
        p_PC = p_NC[at]
        a_PC = p_PC.copy()
        a_PC[np.arange(len(at)), p_PC.argmax(axis=1)] -= 1
        self.a_PC, self.h_PD = torch.from_numpy(a_PC), torch.from_numpy(h_PD)
        lengths_P = np.einsum("pc,pc->p", a_PC, a_PC) * np.einsum("pd,pd->p", h_PD, h_PD)
        self.squared_P = torch.from_numpy(lengths_P)
        self.quantum = max(float(self.squared_P.max()), 1e-300) * SHARE
        self.length_P = self.squared_P.sqrt().numpy()
        self.confidence_P = p_PC.max(axis=1)
        self.bound_P = np.full(len(at), np.inf)
        self.left_P = np.ones(len(at), bool)
        self.waiting: list[int] = []  # centres that are not in the bounds yet

    def take(self, n: int) -> Picks:
        """Return the next ``n``."""
        places, distances, reasons = [], [], []
        for _ in range(n):
            place, squared = self._next()
            self.left_P[place] = False
            self.bound_P[place] = 0.0
            self.waiting.append(place)
            places.append(place)
            distances.append(np.sqrt(squared))
            reasons.append(self._reason(place, squared))
            if len(self.waiting) == CENTRES_AT_ONCE:
                self._update()
        columns = {"gradient_length": self.length_P[places], "gradient_distance": np.array(distances)}
        return Picks(self.pool.candidates[places], tuple(reasons), columns)

    def _next(self) -> tuple[int, float]:
        """Return the place of the next centre and its squared distance to those before (NaN: the first)."""
        if np.isinf(self.bound_P[0]) and not self.waiting:
            return int(steady(self.length_P).argmax()), float("nan")
        if np.isinf(self.bound_P).any():
            self._update()
        total = np.cumsum(self.bound_P)
        while total[-1] > 0:
            drawn = self.rng.random() * total[-1]
            place = min(int(np.searchsorted(total, drawn, side="right")), len(total) - 1)
            bound = self.bound_P[place]
            true = min(bound, float(self._to_waiting(torch.tensor([place])).min())) if self.waiting else bound
            # What is drawn lies evenly between the sums around it: the same draw accepts or not.
            if drawn - (total[place] - bound) < true:
                return place, true
            self.bound_P[place] = true
            total = np.cumsum(self.bound_P)
        # Only copies are left, or certain samples, whose gradients are 0: the least certain first.
        unsure_P = np.where(self.left_P, steady(1 - self.confidence_P), -1.0)
        return int(unsure_P.argmax()), 0.0

    def _to_waiting(self, rows_n: Tensor) -> Tensor:
        """Return the squared distances of some rows to the centres that wait, [n, T]."""
        centres = torch.tensor(self.waiting)
        products = (self.a_PC[rows_n] @ self.a_PC[centres].T).mul_(self.h_PD[rows_n] @ self.h_PD[centres].T)
        squared = self.squared_P[rows_n, None] + self.squared_P[centres] - 2 * products
        return squared.clamp_(min=0).div_(self.quantum).round_().mul_(self.quantum)

    def _update(self) -> None:
        """Bring all bounds up to date."""
        for rows in torch.split(torch.arange(len(self.bound_P)), 8192):
            nearest = self._to_waiting(rows).min(dim=1).values.numpy()
            self.bound_P[rows.numpy()] = np.minimum(self.bound_P[rows.numpy()], nearest)
        self.bound_P[~self.left_P] = 0.0
        self.waiting = []

    def _reason(self, place: int, squared: float) -> str:
        sure = f"the model gives {self.confidence_P[place]:.2f} to its first class"
        if np.isnan(squared):
            return f"the longest gradient of all: {sure}"
        if squared == 0:
            return f"no gradient is left that differs from those of the picks: {sure}"
        return f"its gradient is {np.sqrt(squared):.2f} from those of all picks before: {sure}"


def begin(pool: Pool, *, seed: int) -> _Drawing:
    """Draw candidates with long and different gradients, one after the other.

    Args:
        pool: With probs, which then belong to the embeddings as they are; or with labels of two classes at
            least, on which a head is fitted.
        seed: Seed of the draws.

    Returns:
        Steps whose picks have the columns ``gradient_length`` and ``gradient_distance`` (to the nearest pick
        before; NaN for the first).

    Raises:
        UserError: If there are neither.
    """
    if pool.probs is not None:
        return _Drawing(pool, predictions(pool), pool.vectors.exact(pool.candidates), seed)
    x = Scaled(pool)
    return _Drawing(pool, predicted(x, [pool_head(pool, x)])[0], x[pool.candidates], seed)


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: vectors in float64 and as they are read, gradients, blocks of products."""
    del k
    classes = pool.probs.shape[-1] if pool.probs is not None else max(len(pool.classes), 2)
    num, dim = len(pool.candidates), pool.vectors.dim
    each = 8 + pool.vectors.source.dtype.itemsize * (pool.probs is not None)
    blocks = 8 * 8192 * (4 * CENTRES_AT_ONCE + dim + classes)
    return head_bytes(pool) + num * (each * dim + 16 * classes + 64) + blocks


STRATEGY = Strategy(
    about="k-means++ over the model's gradients: unsure and different"
    " (Ash et al. 2020, arxiv.org/abs/1906.03671)",
    begin=begin,
    needs=frozenset({"predictions"}),
    estimate=_estimate,
)
