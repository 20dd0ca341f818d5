"""The Fisher information that samples hold about a linear classifier, and what one more changes.

Each sample's is (b b') x x x' (Kronecker), of which only the vector x and the factor b are kept: for
multinomial logistic regression b b' = diag p - p p'. After a pick everything follows by the formula of
Woodbury, so that a candidate costs D C^2 per pick and nothing of CD x CD.

Shapes: n samples, P candidates, D dimensions, C classes; matrices [CD, CD] hold class by class.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Design", "factors", "information"]

# Running figures are worked out anew after so many changes, so that rounding does not add up.
FRESH_EVERY = 512
# Changes are compared as multiples of this share of the largest: ties are ties.
SHARE = 2.0**-30
ROWS_AT_ONCE = 1024


def factors(p_nC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return b with b b' = diag p - p p', for probabilities that add up to 1: [n, C, C]."""
    roots_nC = np.sqrt(p_nC)
    b_nCC = -p_nC[:, :, None] * roots_nC[:, None, :]
    classes = np.arange(p_nC.shape[1])
    b_nCC[:, classes, classes] += roots_nC
    return b_nCC


def information(x_nD: NDArray[np.float64], b_nCC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of all samples' information, [CD, CD]."""
    dim, num_classes = x_nD.shape[1], b_nCC.shape[1]
    total = np.zeros((num_classes, dim, num_classes, dim))
    for c in range(num_classes):
        for other in range(c, num_classes):
            weights_n = np.einsum("nk,nk->n", b_nCC[:, c], b_nCC[:, other])
            total[c, :, other] = (x_nD * weights_n[:, None]).T @ x_nD
            total[other, :, c] = total[c, :, other]
    return total.reshape(num_classes * dim, num_classes * dim)


class Design:
    """A = M^-1, and for each candidate v = b x x the matrices q = v'Av and r = v'AFAv, [P, C, C]."""

    def __init__(
        self,
        x_PD: NDArray[np.float64],
        b_PCC: NDArray[np.float64],
        start: NDArray[np.float64],
        whole: NDArray[np.float64],
    ) -> None:
        """Work out everything once.

        Args:
            x_PD: Vectors of the candidates.
            b_PCC: Their factors.
            start: M before anything is picked, positive definite [CD, CD].
            whole: F, of which the trace with M^-1 is to be small [CD, CD].
        """
        self.x_PD, self.b_PCC, self.M, self.F = x_PD, b_PCC, start.copy(), whole
        self.steps = 0
        self._fresh()

    def __len__(self) -> int:
        """Return P."""
        return len(self.x_PD)

    def change(self, sign: int, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return by how much the trace falls when each is added (1), or rises when taken out (-1), [n]."""
        values = np.empty(len(places))
        unit = np.eye(self.b_PCC.shape[1])
        for start in range(0, len(places), ROWS_AT_ONCE):
            some = places[start : start + ROWS_AT_ONCE]
            solved = np.linalg.solve(unit + sign * self.q_PCC[some], self.r_PCC[some])
            values[start : start + ROWS_AT_ONCE] = np.trace(solved, axis1=1, axis2=2)
        largest = max(float(values.max()), 1e-300)
        return np.asarray(np.round(values / largest / SHARE) * (SHARE * largest))

    def move(self, place: int, sign: int) -> None:
        """Add (1) or take out (-1) a candidate."""
        v = np.einsum("ck,d->cdk", self.b_PCC[place], self.x_PD[place]).reshape(len(self.M), -1)
        self.M += sign * (v @ v.T)
        self.steps += 1
        if self.steps % FRESH_EVERY == 0:
            self._fresh()
            return
        u = self.A @ v
        s = sign * np.linalg.inv(np.eye(v.shape[1]) + sign * (v.T @ u))
        fu = self.F @ u
        w = self.A @ fu
        self._update(u, w, (s + s.T) / 2, u.T @ fu)
        self.A -= u @ s @ u.T

    def _update(
        self, u: NDArray[np.float64], w: NDArray[np.float64], s: NDArray[np.float64], z: NDArray[np.float64]
    ) -> None:
        """Follow A -> A - u s u', with w = AFu and z = u'Fu."""
        for start in range(0, len(self), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            on_u, on_w = self._onto(some, u), self._onto(some, w)
            part = on_u @ s
            self.q_PCC[some] -= part @ on_u.transpose(0, 2, 1)
            both = part @ (on_w - part @ z / 2).transpose(0, 2, 1)
            self.r_PCC[some] -= both + both.transpose(0, 2, 1)

    def _onto(self, some: slice, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return v'u of some candidates, [n, C, k]."""
        num_classes, dim = self.b_PCC.shape[1], self.x_PD.shape[1]
        columns = u.reshape(num_classes, dim, -1).transpose(1, 0, 2).reshape(dim, -1)
        by_class = (self.x_PD[some] @ columns).reshape(-1, num_classes, u.shape[1])
        return np.asarray(self.b_PCC[some].transpose(0, 2, 1) @ by_class)

    def _fresh(self) -> None:
        self.A = np.linalg.inv(self.M)
        self.A = (self.A + self.A.T) / 2
        self.q_PCC, self.r_PCC = self._both_sides(self.A), self._both_sides(self.A @ self.F @ self.A)

    def _both_sides(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return v'(matrix)v of each candidate, [P, C, C]."""
        num_classes, dim = self.b_PCC.shape[1], self.x_PD.shape[1]
        found = np.empty_like(self.b_PCC)
        for start in range(0, len(self), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            x_nD = self.x_PD[some]
            between = np.empty((len(x_nD), num_classes, num_classes))
            for c in range(num_classes):
                rows = (x_nD @ matrix[c * dim : (c + 1) * dim]).reshape(len(x_nD), num_classes, dim)
                between[:, c] = np.einsum("ncd,nd->nc", rows, x_nD)
            b_nCC = self.b_PCC[some]
            found[some] = b_nCC.transpose(0, 2, 1) @ between @ b_nCC
        return found
