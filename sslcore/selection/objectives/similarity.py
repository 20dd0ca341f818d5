"""Objective ``similarity``: like given samples, or unlike them.

Value: s = exp(-d^2 / m) for the distance d to the nearest given sample and the mean squared length m of the
vectors (1 for unit length); 1 - s to get away from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.covering import kernel_width
from sslcore.selection.nearest import Points, nearest_points
from sslcore.selection.objectives.base import FLOOR, State, check_strength
from sslcore.selection.objectives.fixed import Fixed
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen
from sslcore.selection.vectors import LONGEST

__all__ = ["Similarity"]


@dataclass(frozen=True)
class Similarity:
    """Prefer what is like given samples."""

    rows: Sequence[int] | NDArray[Any] = ()
    """Rows of the given samples, or a mask [N]; they may be labelled or in the pool."""
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
        found = [np.asarray(pool.vectors.source[self._rows(len(pool))]).astype(np.float64)]
        if self.vectors is not None:
            found.append(self._vectors(pool.vectors.dim))
        given = np.concatenate(found)
        if not len(given):
            raise UserError("similarity needs at least one given sample: rows= or vectors=")
        return given

    def _rows(self, total: int) -> NDArray[np.int64]:
        rows = np.asarray(self.rows)
        if rows.dtype == np.bool_ and rows.shape == (total,):
            return np.flatnonzero(rows).astype(np.int64)
        if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
            raise UserError(f"similarity rows must be row numbers or a mask [{total}], got {rows.dtype}")
        if len(rows) and (rows.min() < 0 or rows.max() >= total):
            raise UserError(f"similarity rows must be from 0 to {total - 1}, got {rows.tolist()}")
        return rows.astype(np.int64)

    def _vectors(self, dim: int) -> NDArray[np.float64]:
        try:
            given = np.atleast_2d(np.asarray(self.vectors, np.float64))
        except (TypeError, ValueError):
            raise UserError(f"similarity vectors must be numbers [K, {dim}]") from None
        if given.ndim != 2 or given.shape[1] != dim:
            raise UserError(f"similarity vectors must be [K, {dim}], got {list(given.shape)}")
        if not (np.isfinite(given).all() and np.abs(given).max(initial=0.0) < LONGEST):
            raise UserError(f"similarity vectors must be finite numbers below {LONGEST:g}")
        return given
