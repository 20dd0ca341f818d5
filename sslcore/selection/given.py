"""The checks at the door: from what a caller gives to a `Pool`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sslcore.embedding.store import Embeddings, as_matrix, open_parts
from sslcore.errors import UserError
from sslcore.selection.memory import require_memory
from sslcore.selection.pool import UNKNOWN

__all__ = [
    "Given",
    "check_labelled",
    "check_labels",
    "check_probs",
    "check_scores",
    "id_order",
    "open_embeddings",
]

Given = Embeddings | ArrayLike | Tensor | str | Path | Iterator[ArrayLike]
"""Embeddings: an array, tensor or memory map [N, D], a folder of Parquet, a .npy file, or chunks [n, D]."""

FITS = "give memory= more, or embeddings as a memory map (.npy)"


def open_embeddings(given: Given, *, memory: int) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the vectors, and what is known of them.

    Returns:
        float16, float32 or float64 [N, D], not copied where that can be; and any of sample_ids, filenames,
        model_id, dataset_fingerprint.

    Raises:
        UserError: If it is no matrix, cannot be read, or would not fit.
    """
    known: dict[str, Any] = {}
    if isinstance(given, Embeddings):
        matrix: NDArray[Any] = given.vectors
        known = {
            "sample_ids": given.sample_ids,
            "filenames": given.filenames,
            "model_id": given.model_id,
            "dataset_fingerprint": given.dataset_fingerprint,
        }
    elif isinstance(given, str | Path):
        matrix, known = _open_path(Path(given), memory)
    elif isinstance(given, Tensor):
        tensor = given.detach().cpu()
        matrix = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    elif isinstance(given, Iterator):
        matrix = _gather(given, memory)
    else:
        matrix = np.asanyarray(given)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise UserError(f"embeddings must be a matrix [N, D] with D >= 1, got {list(matrix.shape)}")
    if matrix.dtype not in (np.float16, np.float32, np.float64):
        if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
            raise UserError(f"embeddings must be numbers, got {matrix.dtype}")
        matrix = matrix.astype(np.float64)
    return matrix, known


def _open_path(path: Path, memory: int) -> tuple[NDArray[Any], dict[str, Any]]:
    if path.suffix == ".npy":
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False), {}
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read as a NumPy array: {error}") from None
    parts = open_parts(path)
    total = sum(pq.read_metadata(part).num_rows for part in parts.paths)
    size = total * parts.embed_dim * np.dtype(parts.dtype).itemsize
    require_memory(size, memory, what=f"{path}: {total} embeddings in memory", instead=FITS)
    matrix = np.empty((total, parts.embed_dim), parts.dtype)
    ids: list[str] = []
    names: list[str] = []
    for part in parts.paths:
        for batch in pq.ParquetFile(part).iter_batches(columns=["sample_id", "filename", "embedding"]):
            rows = as_matrix(pa.chunked_array([batch["embedding"]]))
            matrix[len(ids) : len(ids) + len(rows)] = rows
            ids += batch["sample_id"].to_pylist()
            names += batch["filename"].to_pylist()
    return matrix, {
        "sample_ids": ids,
        "filenames": names,
        "model_id": parts.model_id,
        "dataset_fingerprint": parts.dataset_fingerprint,
    }


def _gather(chunks: Iterator[ArrayLike], memory: int) -> NDArray[Any]:
    """Return chunks one below the other; two copies are never in memory."""
    kept: list[NDArray[Any]] = []
    size = 0
    for chunk in chunks:
        part = np.asarray(chunk)
        if part.ndim != 2 or (kept and part.shape[1] != kept[0].shape[1]):
            wanted = f"[n, {kept[0].shape[1]}]" if kept else "[n, D]"
            raise UserError(f"each chunk of embeddings must be {wanted}, got {list(part.shape)}")
        size += part.nbytes
        require_memory(size, memory, what="the chunks of embeddings in memory", instead=FITS)
        kept.append(part)
    if not kept:
        raise UserError("embeddings must be a matrix [N, D] with D >= 1, got no chunk")
    total = sum(len(part) for part in kept)
    matrix = np.empty((total, kept[0].shape[1]), np.result_type(*{part.dtype for part in kept}))
    kept.reverse()
    start = 0
    while kept:
        part = kept.pop()
        matrix[start : start + len(part)] = part
        start += len(part)
    return matrix


def id_order(ids: Sequence[Any] | NDArray[Any] | None, total: int) -> NDArray[np.int64] | None:
    """Return rows in ascending order of their ids [N], or None if they are in order already.

    Raises:
        UserError: If an id is there twice, or there is not one for each row.
    """
    if ids is None:
        return None
    if len(ids) != total:
        raise UserError(f"ids must be one for each of {total} embeddings, got {len(ids)}")
    values = np.asarray(ids)
    kind = values.astype(str) if values.dtype == object else values
    order = np.argsort(kind, kind="stable").astype(np.int64)
    same = np.flatnonzero(kind[order][1:] == kind[order][:-1])
    if len(same):
        raise UserError(
            f"{len(same)} ids are there twice, among them {kind[order][same[0]]!s}; each row needs its own"
        )
    return None if np.array_equal(order, np.arange(total)) else order


def check_labelled(
    labelled: ArrayLike | None, labels: NDArray[np.int64] | None, total: int, *, name: str = "labelled"
) -> NDArray[np.int64]:
    """Return the rows that are labelled already, ascending.

    Args:
        labelled: Row numbers [L] without repetition, or a mask [N] (True: labelled); None takes the rows
            whose class is known.
        labels: Class of each row, `UNKNOWN` where it is not known.
        total: N.
        name: What the rows are, for messages.

    Raises:
        UserError: If they are no rows, or one is there twice.
    """
    if labelled is None:
        known = np.zeros(total, bool) if labels is None else labels != UNKNOWN
        return np.flatnonzero(known).astype(np.int64)
    given = np.asarray(labelled)
    if given.dtype == np.bool_:
        if given.shape != (total,):
            raise UserError(f"a mask of {name} rows must be [{total}], got {list(given.shape)}")
        return np.flatnonzero(given).astype(np.int64)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise UserError(f"{name} must hold row numbers or be a mask, got {given.dtype}")
    rows = np.unique(given.astype(np.int64))
    if len(rows) != given.size:
        raise UserError(f"{name} names {given.size - len(rows)} rows twice")
    if len(rows) and (rows[0] < 0 or rows[-1] >= total):
        raise UserError(f"{name} must be row numbers from 0 to {total - 1}, got {rows[0]} to {rows[-1]}")
    return rows


def check_labels(
    labels: Iterable[Any] | None, total: int
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the class of each row as a number and the names of the classes.

    Args:
        labels: Names, None (or "", or NaN) where the class is not known; or numbers of classes, -1 where it
            is not.
        total: N.

    Returns:
        Numbers of classes, `UNKNOWN` where it is not known [N], and names by number.

    Raises:
        UserError: If there is not one for each row.
    """
    if labels is None:
        return None, ()
    given = labels if isinstance(labels, np.ndarray) else list(labels)
    if len(given) != total:
        raise UserError(f"labels must be one for each of {total} embeddings, got {len(given)}")
    array = np.asarray(given)
    if np.issubdtype(array.dtype, np.integer):
        codes = array.astype(np.int64)
        if codes.size and codes.min() < UNKNOWN:
            raise UserError(
                f"labels must be numbers of classes, or -1 where it is not known, got {codes.min()}"
            )
        return codes, tuple(str(number) for number in range(int(codes.max(initial=UNKNOWN)) + 1))
    named = [None if value is None or value == "" or value != value else str(value) for value in given]
    classes = tuple(sorted({name for name in named if name is not None}))
    number = {name: code for code, name in enumerate(classes)}
    return np.array([UNKNOWN if name is None else number[name] for name in named], np.int64), classes


def check_probs(probs: ArrayLike | Tensor | None, total: int) -> NDArray[Any] | None:
    """Return class probabilities [N, C] or [M, N, C], each row of which adds up to 1 within 1 %.

    Raises:
        UserError: If they do not fit, are not finite, or are no probabilities.
    """
    if probs is None:
        return None
    given = probs.detach().cpu().float().numpy() if isinstance(probs, Tensor) else np.asarray(probs)
    if given.ndim not in (2, 3) or given.shape[-2] != total or given.shape[-1] < 2:
        raise UserError(
            f"probs must be [N, C] or [M, N, C] with N = {total} and C >= 2, got {list(given.shape)}"
        )
    if not np.issubdtype(given.dtype, np.floating) or not np.isfinite(given).all():
        raise UserError("probs must be finite numbers")
    sums = given.sum(axis=-1, dtype=np.float64)
    if given.min(initial=0.0) < 0 or np.abs(sums - 1).max(initial=0.0) > 0.01:
        raise UserError(
            "probs must be from 0 to 1 and add up to 1 over the classes; give softmax, not logits"
        )
    return given


def check_scores(scores: Mapping[str, ArrayLike] | None, total: int) -> dict[str, NDArray[np.float64]]:
    """Return named scores as float64 [N].

    Raises:
        UserError: If one does not fit or is not finite.
    """
    checked = {}
    for name, values in (scores or {}).items():
        given = np.asarray(values, dtype=np.float64)
        if given.shape != (total,):
            raise UserError(
                f"scores['{name}'] must be one for each of {total} embeddings, got {list(given.shape)}"
            )
        if not np.isfinite(given).all():
            raise UserError(f"scores['{name}'] must be finite; {int((~np.isfinite(given)).sum())} are not")
        checked[name] = given
    return checked
