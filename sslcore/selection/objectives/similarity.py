"""Objective ``similarity``: like given samples, or unlike them.

Value: s = exp(-d^2 / m) for the distance d to the nearest given sample and the mean squared length m of the
vectors (1 for unit length); 1 - s to get away from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.covering import kernel_width
from sslcore.selection.nearest import Points, nearest_points
from sslcore.selection.objectives.base import FLOOR, State, check_strength
from sslcore.selection.objectives.fixed import Fixed
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen

__all__ = ["Similarity"]


@dataclass(frozen=True)
class Similarity:
    """Prefer what is like given samples."""

    rows: Sequence[int] | NDArray[np.int64] = ()
    """Rows of the given samples; they may be labelled or in the pool."""
    vectors: NDArray[np.float64] | None = None
    """Or their vectors [K, D], for samples that are not among the embeddings."""
    away: bool = False
    """Prefer what is unlike them."""
    strength: float = 1.0
    """Power in the product."""
    name: str = "similarity"
    """Column of the similarity s, from 0 to 1."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Work out the similarities."""
        del seed
        check_strength(self.strength)
        given_KD = self._given(pool)
        screen = Screen(pool.vectors, longest=float(np.einsum("kd,kd->k", given_KD, given_KD).max()))
        squared_P, _ = nearest_points(screen, pool.candidates, Points(screen, given_KD))
        alike_P = np.exp(-squared_P / kernel_width(pool) ** 2)
        values_P = np.clip(1 - alike_P if self.away else alike_P, FLOOR, 1.0)
        side = "unlike" if self.away else "like"
        return Fixed(values_P, alike_P, lambda figure: f"{side} the given samples (similarity {figure:.2f})")

    def _given(self, pool: Pool) -> NDArray[np.float64]:
        rows = np.asarray(self.rows, np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(pool)):
            raise UserError(f"similarity rows must be from 0 to {len(pool) - 1}, got {rows.tolist()}")
        found = [np.asarray(pool.vectors.source[rows]).astype(np.float64)]
        if self.vectors is not None:
            found.append(np.asarray(self.vectors, np.float64).reshape(-1, pool.vectors.dim))
        given = np.concatenate(found)
        if not len(given):
            raise UserError("similarity needs at least one given sample: rows= or vectors=")
        return given
