"""Which of some points is nearest to each vector: certain, and as fast as products of matrices.

Shapes: N or n vectors, K points, D dimensions.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.screen import Screen, rough
from sslcore.selection.vectors import Vectors

__all__ = ["NONE", "Points", "nearest_of", "nearest_points"]

ROWS, COLUMNS = 4096, 1024
NONE = -1


class Points:
    """Points that vectors are compared with: any, or some of the vectors themselves."""

    def __init__(self, screen: Screen, given: NDArray[np.float64] | NDArray[np.int64]) -> None:
        """Keep points, float64 [K, D], or positions, int64 [K]; no longer than the longest vector."""
        self.screen, self.given = screen, given

    def __len__(self) -> int:
        """Return K."""
        return len(self.given)

    def exact(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some of the points, float64 [n, D]."""
        if self.given.ndim == 1:
            return self.screen.vectors.exact(self.given[numbers].astype(np.int64))
        return self.given[numbers].astype(np.float64)

    def chunks(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield (number of the first, points times -2 as float32, their squared lengths)."""
        for start in range(0, len(self), COLUMNS):
            wide = self.exact(np.arange(start, min(start + COLUMNS, len(self))))
            lengths = np.einsum("kd,kd->k", wide, wide)
            yield start, torch.from_numpy((-2 * wide).astype(np.float32)), _narrow(lengths)


def nearest_points(
    screen: Screen,
    positions: NDArray[np.int64],
    points: Points,
    *,
    best: NDArray[np.float64] | None = None,
    exact: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return how far the nearest point is and which it is, ties to the first.

    Args:
        screen: Of the vectors.
        positions: Which vectors [n].
        points: At least one [K].
        best: Exact squared distance to something else that wins ties; its number is `NONE` [n].
        exact: Whether all squared distances must be exact, or only decide as if they were: then those that
            are beyond doubt are within ``screen.error``.

    Returns:
        Squared distances [n], and numbers of points from 0 to K - 1 [n].
    """
    squared = np.full(len(positions), np.inf) if best is None else best.copy()
    which = np.full(len(positions), NONE, np.int64)
    chunks = list(points.chunks()) if len(points) <= 16 * COLUMNS else None
    for start in range(0, len(positions), ROWS):
        rows = np.arange(start, min(start + ROWS, len(positions)))
        x, own = screen.view(positions[rows]), screen.lengths(positions[rows])
        sure = np.ones(len(rows), bool)
        for first, centres, lengths in chunks if chunks is not None else points.chunks():
            low = squared[rows]
            row, column, value = _within_error(rough(x, centres, lengths), own, low, screen.error)
            number = column + first
            # Alone and below what there was: beyond doubt.
            alone = (np.bincount(row, minlength=len(rows))[row] == 1) & (value < low[row] - 2 * screen.error)
            if not exact and alone.any():
                squared[rows[row[alone]]], which[rows[row[alone]]] = value[alone], number[alone]
                sure[row[alone]] = False
                row, number = row[~alone], number[~alone]
            if len(row):
                doubt = np.unique(row[~sure[row]])
                _settle(screen, positions, points, rows[doubt], squared, which)
                sure[doubt] = True
                _decide(screen, positions, points, rows[row], number, squared, which)
    return squared, which


def _within_error(
    tile: Tensor, own: Tensor, low: NDArray[np.float64], error: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs of a tile that may be the nearest of their row: row, column, squared distance."""
    limit = torch.minimum(tile.amin(dim=1) + 2 * error, torch.from_numpy(low + 2 * error) - own)
    # Where few are true, as here, NumPy is faster than torch.nonzero.
    found = np.flatnonzero((tile <= limit[:, None].float()).numpy())
    row, column = np.divmod(found, tile.shape[1])
    value = (tile[row, column] + own[row]).double()
    return row, column, value.numpy()


def _settle(
    screen: Screen,
    positions: NDArray[np.int64],
    points: Points,
    rows: NDArray[np.int64],
    squared: NDArray[np.float64],
    which: NDArray[np.int64],
) -> None:
    """Make the distances of some rows exact."""
    squared[rows] = screen.exact_to(positions[rows], points.exact(which[rows]))


def _decide(
    screen: Screen,
    positions: NDArray[np.int64],
    points: Points,
    row: NDArray[np.int64],
    number: NDArray[np.int64],
    squared: NDArray[np.float64],
    which: NDArray[np.int64],
) -> None:
    """Compare pairs exactly, and keep the nearest of each row."""
    distance = screen.exact_to(positions[row], points.exact(number))
    order = np.lexsort((number, distance, row))
    unique, firsts = np.unique(row[order], return_index=True)
    best = order[firsts]
    closer = distance[best] < squared[unique]
    squared[unique[closer]], which[unique[closer]] = distance[best][closer], number[best][closer]


def nearest_of(vectors: Vectors, centres: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each vector's squared distance to the nearest of some and which that is, ties to the first.

    Args:
        vectors: [N, D].
        centres: Positions, at least one [K].

    Returns:
        Squared distances [N], and numbers of centres from 0 to K - 1 [N].
    """
    screen = Screen(vectors)
    return nearest_points(screen, np.arange(len(vectors), dtype=np.int64), Points(screen, centres))


def _narrow(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
