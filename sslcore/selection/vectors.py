"""The vectors a selection is made from: read in blocks, in the order of their ids, never copied whole.

Shapes: N vectors, D dimensions.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.errors import UserError

__all__ = ["Vectors"]

T = TypeVar("T", np.float32, np.float64)

WIDE: dict[type[Any], torch.dtype] = {np.float32: torch.float32, np.float64: torch.float64}

# Blocks hold about this many numbers: 16 MB of float32.
NUMBERS_AT_ONCE = 4_000_000
# Squares of longer vectors come near the end of float32.
LONGEST = 1e15


class Vectors:
    """Vectors by position: p is the p-th in the order of the ids, so nothing depends on the order of rows.

    The source may be a memory map: only blocks of it are in memory at a time.
    """

    def __init__(self, source: NDArray[Any], order: NDArray[np.int64] | None = None) -> None:
        """Keep the source, without reading it.

        Args:
            source: float16, float32 or float64 [N, D].
            order: Row of the source for each position [N]; None leaves the order as it is.
        """
        self.source = source
        self.order = order

    def __len__(self) -> int:
        """Return N."""
        return len(self.source)

    @property
    def dim(self) -> int:
        """D."""
        return int(self.source.shape[1])

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the vectors of positions start..stop, float32; a view where the source allows it."""
        if self.order is not None:
            return self.take(self._all(start, stop))
        return _widened(np.asarray(self.source[start:stop]), np.float32)

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of the vectors of some positions, float32 [n, D]."""
        return self._copy(positions, np.float32)

    def view(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the same to read only, without a copy where the source allows it, float32 [n, D]."""
        return _widened(self._read(positions), np.float32)

    def exact(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a copy of the vectors of some positions as they were given, float64 [n, D]."""
        return self._copy(positions, np.float64)

    def _copy(self, positions: NDArray[np.int64], kind: type[T]) -> NDArray[T]:
        found = self._read(positions)
        wide = _widened(found, kind)
        return wide.copy() if np.may_share_memory(wide, self.source) else wide

    def _read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        rows = self.rows(positions)
        # Neighbours are read as a slice: much faster than one by one.
        if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            return np.asarray(self.source[rows[0] : rows[-1] + 1])
        return np.asarray(self.source[rows])

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the source for some positions."""
        return positions if self.order is None else self.order[positions]

    def blocks(self, rows_at_once: int | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (first position, vectors) until the last vector."""
        step = rows_at_once or self.rows_at_once
        for start in range(0, len(self), step):
            yield start, self.block(start, min(start + step, len(self)))

    @property
    def rows_at_once(self) -> int:
        """Rows of a block."""
        return max(1, NUMBERS_AT_ONCE // self.dim)

    @cached_property
    def squared(self) -> NDArray[np.float64]:
        """Squared length of each vector, in float64 and without regard to its neighbours [N].

        Raises:
            UserError: If a vector holds NaN or infinity, or is longer than `LONGEST`.
        """
        squared_N, bad, first = np.empty(len(self)), 0, -1
        step = self.rows_at_once
        for start in range(0, len(self), step):
            wide = _widened(np.asarray(self.source[start : start + step]), np.float64)
            part = np.einsum("nd,nd->n", wide, wide)
            squared_N[start : start + step] = part
            if not np.isfinite(part).all():
                broken = np.flatnonzero(~np.isfinite(wide).all(axis=1))
                first = start + int(broken[0]) if len(broken) and first < 0 else first
                bad += len(broken)
        if bad:
            raise UserError(
                f"{bad} of {len(self)} embeddings hold NaN or infinity, first in row {first}; "
                "embed them again"
            )
        longest = float(np.sqrt(squared_N.max())) if len(self) else 0.0
        if longest > LONGEST:
            raise UserError(f"embeddings must not be longer than {LONGEST:g}, got {longest:.3g}; scale them")
        return squared_N if self.order is None else squared_N[self.order]

    @cached_property
    def digest(self) -> str:
        """Hash of the vectors in the order of their ids, and of their type and size."""
        sha = hashlib.sha256(f"{self.source.dtype.name} {self.source.shape}".encode())
        for start in range(0, len(self), self.rows_at_once):
            rows = self.rows(self._all(start, min(start + self.rows_at_once, len(self))))
            sha.update(np.ascontiguousarray(self.source[rows]).data)
        return sha.hexdigest()

    @staticmethod
    def _all(start: int, stop: int) -> NDArray[np.int64]:
        return np.arange(start, stop, dtype=np.int64)


def _widened(found: NDArray[Any], kind: type[T]) -> NDArray[T]:
    """Return numbers as float32 or float64, as they are if they are that already."""
    if found.dtype != np.float16:
        return found.astype(kind, copy=False)
    halves = found if found.flags.writeable else found.copy()
    # PyTorch does this in a third of NumPy's time, and in several threads.
    wide: NDArray[T] = torch.from_numpy(halves).to(WIDE[kind]).numpy()
    return wide
