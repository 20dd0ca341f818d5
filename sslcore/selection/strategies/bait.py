"""Strategy ``bait``: samples that leave the classifier's weights least uncertain, over the whole pool.

Source: Ash et al., "Gone Fishing: Neural Active Learning with Fisher Embeddings", NeurIPS 2021,
https://arxiv.org/abs/2106.09675; in the binary form of Huseljic et al., "Fast Fishing: Approximating BAIT
for Efficient and Scalable Deep Active Image Classification", 2024, https://arxiv.org/abs/2404.08981: each
sample is the question whether its first class is right, with the Fisher information w x x', w = p (1 - p).
That is D x D, where all classes together would be CD x CD.

With F the information of all samples and M = penalty I + that of what is labelled and picked, pick what
lowers trace(M^-1 F) most, until there are 2 k; then give back the k that raise it least. M starts from the
head's own penalty; the paper starts from the unit matrix.

O(k P D) time. Shapes: P candidates, D dimensions.
"""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.head import PENALTY, pool_head, predictions, scaled, steady
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "pick"]

# Running figures are worked out anew after so many picks, so that rounding does not add up.
FRESH_EVERY = 64
# Gains are compared as multiples of this share of the largest: ties are ties.
SHARE = 2.0**-30


class _Design:
    """A = M^-1, and for each candidate q = x'Ax and r = x'AFAx."""

    def __init__(self, rows_PD: NDArray[np.float64], start_DD: NDArray[np.float64], F: NDArray[np.float64]):
        self.rows_PD, self.M, self.F = rows_PD, start_DD, F
        self.steps = 0
        self._fresh()

    def _fresh(self) -> None:
        self.A = np.linalg.inv(self.M)
        self.A = (self.A + self.A.T) / 2
        self.q_P = np.einsum("pd,pd->p", self.rows_PD @ self.A, self.rows_PD)
        self.r_P = np.einsum("pd,pd->p", self.rows_PD @ (self.A @ self.F @ self.A), self.rows_PD)

    def change(self, sign: int) -> NDArray[np.float64]:
        """Return by how much the trace falls when each is added (1), or rises when taken out (-1), [P]."""
        values: NDArray[np.float64] = self.r_P / np.maximum(1 + sign * self.q_P, 1e-12)
        largest = max(float(values.max()), 1e-300)
        return np.round(values / largest / SHARE) * (SHARE * largest)

    def move(self, place: int, sign: int) -> None:
        """Add (1) or take out (-1) a candidate."""
        x = self.rows_PD[place]
        self.M = self.M + sign * np.outer(x, x)
        self.steps += 1
        if self.steps % FRESH_EVERY == 0:
            self._fresh()
            return
        u = self.A @ x
        s = sign / (1 + sign * float(x @ u))
        v = self.A @ (self.F @ u)
        on_u, on_v = (self.rows_PD @ np.stack([u, v], axis=1)).T
        self.q_P -= s * on_u**2
        self.r_P += s * s * float(u @ self.F @ u) * on_u**2 - 2 * s * on_u * on_v
        self.A = self.A - s * np.outer(u, u)


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick ``k`` candidates forward and back.

    Args:
        pool: With probs, or labels of two classes at least, on which a head is fitted.
        k: How many.
        seed: Not used.

    Returns:
        Picks in the order in which they were added, with the column ``information``: by how much the trace
        fell when the pick was added.

    Raises:
        UserError: If there are neither probs nor labels.
    """
    del seed
    x_ND = scaled(pool)
    p_NC = predictions(pool) if pool.probs is not None else steady(pool_head(pool, x_ND).probs(x_ND))
    first_N = p_NC.max(axis=1)
    rows_ND = x_ND * np.sqrt(first_N * (1 - first_N))[:, None]
    start = PENALTY * np.eye(x_ND.shape[1]) + rows_ND[pool.labelled].T @ rows_ND[pool.labelled]
    design = _Design(rows_ND[pool.candidates], start, rows_ND.T @ rows_ND)
    chosen, gains = _forward(design, min(2 * k, len(pool.candidates)))
    _backward(design, chosen, k)
    falls = np.array([gains[place] for place in chosen])
    reasons = tuple(
        f"its label lowers the classifier's uncertainty over the pool by {fall:.3g}, given those before"
        for fall in falls
    )
    return Picks(pool.candidates[chosen], reasons, {"information": falls}, gains=falls)


def _forward(design: _Design, count: int) -> tuple[list[int], dict[int, float]]:
    chosen: list[int] = []
    gains: dict[int, float] = {}
    taken_P = np.zeros(len(design.rows_PD), bool)
    for _ in range(count):
        falls = np.where(taken_P, -1.0, design.change(1))
        place = int(falls.argmax())
        chosen.append(place)
        gains[place] = float(falls[place])
        taken_P[place] = True
        design.move(place, 1)
    return chosen, gains


def _backward(design: _Design, chosen: list[int], k: int) -> None:
    """Take out of ``chosen`` what matters least, until ``k`` are left; of two alike the later."""
    while len(chosen) > k:
        rises = design.change(-1)[chosen]
        last = len(chosen) - 1 - int(rises[::-1].argmin())
        design.move(chosen.pop(last), -1)


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: three copies of the vectors in float64, and some D x D."""
    del k
    return 24 * len(pool) * pool.vectors.dim + 64 * pool.vectors.dim**2


STRATEGY = Strategy(
    about="least uncertainty of the classifier's weights over the pool, binary Fisher information"
    " (Ash et al. 2021, arxiv.org/abs/2106.09675; Huseljic et al. 2024, arxiv.org/abs/2404.08981)",
    pick=pick,
    needs=frozenset({"predictions"}),
    estimate=_estimate,
)
