"""What a strategy chooses from, checked once at the door."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sslcore.errors import UserError

__all__ = ["Pool", "as_pool"]


@dataclass(frozen=True)
class Pool:
    """Vectors, and which of them may be picked."""

    vectors: Tensor
    """All vectors, float64 [N, D]: in float64 the order in which threads add does not decide ties."""
    candidates: NDArray[np.int64]
    """Rows that may be picked, ascending [P]."""
    labelled: NDArray[np.int64]
    """Rows that are labelled already, ascending [L]; with the candidates they are all N rows."""
    names: Sequence[str] | None = None
    """What to call each row in a reason; None calls it by its number."""

    def name(self, row: int) -> str:
        """Return what to call a row."""
        return self.names[row] if self.names is not None else f"sample {row}"


def as_pool(vectors: ArrayLike | Tensor, *, labelled: ArrayLike | None, names: Sequence[str] | None) -> Pool:
    """Check vectors and the rows that are labelled already.

    Args:
        vectors: Any float type, [N, D].
        labelled: Row numbers, int [L] without repetition, or a mask, bool [N] (True: labelled).
        names: One for each row.

    Raises:
        UserError: If there is no vector, one holds NaN or infinity, or the rows or names do not fit.
    """
    matrix = torch.as_tensor(vectors if isinstance(vectors, Tensor) else np.asarray(vectors))
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise UserError(f"embeddings must be a matrix [N, D] with D >= 1, got {list(matrix.shape)}")
    matrix = matrix.detach().cpu().double()
    finite = torch.isfinite(matrix).all(dim=1)
    if not bool(finite.all()):
        first = int((~finite).int().argmax())
        raise UserError(
            f"{int((~finite).sum())} of {len(matrix)} embeddings hold NaN or infinity, first in row {first}; "
            "embed them again"
        )
    if names is not None and len(names) != len(matrix):
        raise UserError(f"names must be one for each of {len(matrix)} embeddings, got {len(names)}")
    rows = _rows(labelled, len(matrix))
    return Pool(
        vectors=matrix,
        candidates=np.setdiff1d(np.arange(len(matrix), dtype=np.int64), rows),
        labelled=rows,
        names=names,
    )


def _rows(labelled: ArrayLike | None, total: int) -> NDArray[np.int64]:
    given = np.asarray([] if labelled is None else labelled)
    if given.dtype == np.bool_:
        if given.shape != (total,):
            raise UserError(f"a mask of labelled rows must be [{total}], got {list(given.shape)}")
        return np.flatnonzero(given).astype(np.int64)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise UserError(f"labelled must hold row numbers or be a mask, got {given.dtype}")
    rows = np.unique(given.astype(np.int64))
    if len(rows) != given.size:
        raise UserError(f"labelled names {given.size - len(rows)} rows twice")
    if len(rows) and (rows[0] < 0 or rows[-1] >= total):
        raise UserError(f"labelled must be row numbers from 0 to {total - 1}, got {rows[0]} to {rows[-1]}")
    return rows
