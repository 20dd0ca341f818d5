"""Nearest neighbours by cosine similarity, and what follows from them: near-duplicates and outliers.

Exact search is one matrix product per block of queries. Approximate search is a FAISS HNSW graph (Malkov and
Yashunin 2018, https://arxiv.org/abs/1603.09320), which pays from some 100,000 vectors on.

Shapes: N vectors, M queries, D dimensions, K neighbours.
"""

import importlib
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import normalize

from sslcore.errors import ConfigError, UserError

__all__ = ["near_duplicates", "nearest_neighbours", "outlier_scores"]

PAIRS_AT_ONCE = 16_000_000
"""Similarities are made for at most this many pairs at a time: 64 MB of float32."""
LINKS, EFFORT = 32, 200


def nearest_neighbours(
    vectors: ArrayLike | Tensor,
    k: int,
    *,
    queries: ArrayLike | Tensor | None = None,
    approximate: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the ``k`` vectors most similar to each query.

    Args:
        vectors: Any float type, [N, D]; they need not have unit length.
        k: Neighbours, 1 to N (to N - 1 without queries).
        queries: [M, D]; None takes each vector itself, which is then not its own neighbour.
        approximate: Search a graph: faster for many vectors, and now and then a neighbour is missed. A query
            that the graph has too few for is searched exactly.

    Returns:
        Cosine similarities, float32 [M, K], the largest first, and rows of ``vectors``, int64 [M, K]; of
        equal ones the lowest row comes first.

    Raises:
        ConfigError: If ``k`` is out of range.
        UserError: If the shapes do not fit, a vector is not finite, or FAISS is not installed.
    """
    bank = _unit(vectors, "vectors")
    asked = bank if queries is None else _unit(queries, "queries")
    if bank.shape[1] != asked.shape[1]:
        raise UserError(f"queries have {asked.shape[1]} dimensions, the vectors {bank.shape[1]}")
    most = len(bank) - (queries is None)
    if not 1 <= k <= most:
        raise ConfigError(f"k must be from 1 to {most}, the number of other vectors, got {k}")
    wanted = k + (queries is None)
    found = _approximate(bank, asked, wanted) if approximate else _exact(bank, asked, wanted)
    return _without_self(*found, k) if queries is None else found


def near_duplicates(vectors: ArrayLike | Tensor, *, threshold: float = 0.97) -> NDArray[np.int64]:
    """Return all pairs at least ``threshold`` alike, int64 [P, 2], in ascending order, the lower row first.

    Args:
        vectors: Any float type, [N, D].
        threshold: Cosine similarity, in (-1, 1].

    Raises:
        ConfigError: If the threshold is out of range.
        UserError: If a vector is not finite.
    """
    if not -1 < threshold <= 1:
        raise ConfigError(f"threshold must be in (-1, 1], got {threshold:g}")
    bank = _unit(vectors, "vectors")
    step = max(1, PAIRS_AT_ONCE // max(1, len(bank)))
    # Rounding leaves copies a little less than 1 alike.
    least = threshold - 1e-6
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(bank), step):
        alike = (bank[start : start + step] @ bank[start:].T) >= least
        rows, columns = (each + start for each in torch.nonzero(alike, as_tuple=True))
        later = columns > rows
        pairs.append(torch.stack([rows[later], columns[later]], dim=1).numpy())
    return np.concatenate(pairs)


def outlier_scores(
    vectors: ArrayLike | Tensor, *, k: int = 10, approximate: bool = False
) -> NDArray[np.float32]:
    """Return the mean cosine distance of each vector to its ``k`` nearest, float32 [N]; large is far out.

    Source: Angiulli and Pizzuti, Fast Outlier Detection in High Dimensional Spaces, 2002.

    Raises:
        ConfigError: If ``k`` is out of range.
        UserError: If a vector is not finite.
    """
    similarities, _ = nearest_neighbours(vectors, k, approximate=approximate)
    scores: NDArray[np.float32] = (1 - similarities.mean(axis=1)).astype(np.float32)
    return scores


def _unit(vectors: ArrayLike | Tensor, name: str) -> Tensor:
    matrix = vectors if isinstance(vectors, Tensor) else torch.from_numpy(np.asarray(vectors))
    if matrix.ndim != 2:
        raise UserError(f"{name} must be a matrix [N, D], got {list(matrix.shape)}")
    matrix = matrix.detach().cpu().float()
    finite = torch.isfinite(matrix).all(dim=1)
    if not bool(finite.all()):
        raise UserError(
            f"{int((~finite).sum())} of {len(matrix)} {name} hold NaN or infinity, first in row "
            f"{int((~finite).int().argmax())}"
        )
    return normalize(matrix, dim=1)


def _exact(bank: Tensor, asked: Tensor, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    step = max(1, PAIRS_AT_ONCE // len(bank))
    values, rows = [], []
    for part in torch.split(asked, step):
        similarities = part @ bank.T
        best = similarities.topk(k, dim=1)
        # topk may take any of several that tie for the last place: those queries are sorted in full.
        tied = (similarities >= best.values[:, -1:]).sum(dim=1) > k
        value, row = _ordered(best.values, best.indices)
        if bool(tied.any()):
            whole = similarities[tied].sort(dim=1, descending=True, stable=True)
            value[tied], row[tied] = whole.values[:, :k], whole.indices[:, :k]
        values.append(value)
        rows.append(row)
    return torch.cat(values).numpy(), torch.cat(rows).numpy()


def _ordered(values: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Put equal values in the order of their rows."""
    by_row = rows.argsort(dim=1)
    values, rows = values.gather(1, by_row), rows.gather(1, by_row)
    by_value = values.argsort(dim=1, descending=True, stable=True)
    return values.gather(1, by_value), rows.gather(1, by_value)


def _approximate(bank: Tensor, asked: Tensor, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    try:
        faiss: Any = importlib.import_module("faiss")
    except ImportError:
        raise UserError("approximate search needs FAISS: pip install faiss-cpu, or search exactly") from None
    # Only different vectors are put in: many equal ones link to each other alone, and hide the rest.
    rows, starts = _copies(bank.numpy())
    index = faiss.IndexHNSWFlat(bank.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EFFORT
    index.hnsw.efSearch = max(EFFORT, 2 * k)
    index.add(bank.numpy()[rows[starts]])
    similarities, found = index.search(asked.numpy(), min(k, len(starts)))
    whole = torch.from_numpy((found >= 0).all(axis=1))
    values, nearest = torch.empty(len(asked), k), torch.empty(len(asked), k, dtype=torch.int64)
    values[whole], nearest[whole] = _ordered(
        *_with_copies(similarities[whole], found[whole], rows, starts, k)
    )
    if not bool(whole.all()):
        exact = _exact(bank, asked[~whole], k)
        values[~whole], nearest[~whole] = (torch.from_numpy(each) for each in exact)
    return values.numpy(), nearest.numpy()


def _copies(bank: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all rows, equal ones side by side, and at which place each different vector's rows start.

    Rows of equal vectors ascend, and so do the first rows of different ones.
    """
    as_bytes = (bank + 0.0).view(np.dtype((np.void, bank.itemsize * bank.shape[1])))[:, 0]  # -0 is 0
    _, first, number = np.unique(as_bytes, return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))[number]
    sizes = np.bincount(number)
    return np.argsort(number, kind="stable"), np.cumsum(sizes) - sizes


def _with_copies(
    similarities: NDArray[np.float32],
    found: NDArray[np.int64],
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    k: int,
) -> tuple[Tensor, Tensor]:
    """Put all equal vectors' rows where one was found, and keep the first ``k`` of each query, [M, K]."""
    sizes = np.diff(starts, append=len(rows))[found]
    kept = np.clip(k - (sizes.cumsum(axis=1) - sizes), 0, sizes).ravel()
    among = np.arange(kept.sum()) - np.repeat(kept.cumsum() - kept, kept)
    nearest = rows[np.repeat(starts[found].ravel(), kept) + among]
    values = np.repeat(similarities.ravel(), kept)
    return torch.from_numpy(values).view(-1, k), torch.from_numpy(nearest).view(-1, k)


def _without_self(
    values: NDArray[np.float32], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Drop each vector from its own neighbours, or the last one where it is not among them."""
    own = rows == np.arange(len(rows))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), k)
    return values[~own].reshape(shape), rows[~own].reshape(shape)
