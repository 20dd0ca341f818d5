"""The checks at the door: from what a caller gives to a `Pool`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sslcore.embedding.store import Embeddings, as_matrix, open_parts
from sslcore.errors import ConfigError, UserError
from sslcore.selection.memory import require_memory
from sslcore.selection.pool import UNKNOWN, is_missing

__all__ = [
    "Given",
    "as_array",
    "as_plan",
    "as_values",
    "by_row",
    "check_labelled",
    "check_labels",
    "check_probs",
    "check_scores",
    "check_whole",
    "id_order",
    "open_embeddings",
]

Given = Embeddings | ArrayLike | Tensor | str | Path | Iterator[ArrayLike]
"""Embeddings: an array, tensor or memory map [N, D], a folder of Parquet, a .npy file, or chunks [n, D]."""

# What objectives and constraints hold: by row of the embeddings, and of given samples.
BY_ROW, OF_SAMPLES = ("values", "probs", "videos", "frames"), ("rows", "vectors")

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
    elif isinstance(given, Iterator):
        matrix = _gather(given, memory)
    else:
        matrix = as_array(given, what="embeddings")
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
            loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            why = " ".join(str(error).split())
            raise UserError(f"{path}: cannot be read as a NumPy array: {why}") from None
        if not isinstance(loaded, np.ndarray):
            raise UserError(f"{path}: holds several arrays (.npz), not one; save it with numpy.save")
        return loaded, {}
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
        part = as_array(chunk, what="each chunk of embeddings")
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


def as_array(given: Any, *, what: str) -> NDArray[Any]:
    """Return what is given as an array; a tensor without its history, bfloat16 as float32.

    Raises:
        UserError: If it is none, for example rows of several lengths.
    """
    if isinstance(given, Tensor):
        tensor = given.detach().cpu()
        found: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        return found
    try:
        if isinstance(given, list | tuple) and any(isinstance(each, Tensor) for each in given):
            return np.stack([as_array(each, what=what) for each in given])
        return np.asanyarray(given)
    except (ValueError, TypeError, RuntimeError):
        raise UserError(f"{what} must be one array of numbers; its rows differ in size or kind") from None


def as_values(given: Any, *, what: str) -> NDArray[Any]:
    """Return values by row as an array that keeps what each is; rows of several numbers as float64 [N, V].

    An array of names and NaN made by NumPy would hold the text "nan".

    Raises:
        UserError: If it is no list, or rows differ in length.
    """
    if isinstance(given, Tensor):
        return as_array(given, what=what)
    if isinstance(given, np.ndarray) and given.ndim:
        return given
    if isinstance(given, str | np.ndarray) or not isinstance(given, Iterable):
        raise UserError(f"{what} must be a value by row, got {given!r}")
    listed = list(given)
    if any(isinstance(value, list | tuple | np.ndarray | Tensor) for value in listed):
        try:
            return np.asarray(listed, np.float64)
        except (TypeError, ValueError):
            raise UserError(f"{what} must be numbers, as many in each row") from None
    return np.fromiter(listed, dtype=object, count=len(listed))


def by_row(given: Any, *, name: str) -> Any:
    """Return what is given one by row as a list or flat array, whatever it was: row i is item i.

    A Series of pandas would be indexed by its labels, and an iterator can be read only once.

    Raises:
        UserError: If it is not one for each row.
    """
    if given is None or isinstance(given, list | tuple):
        return given
    if isinstance(given, Tensor):
        given = given.detach().cpu().numpy()
    if isinstance(given, np.ndarray):
        if given.ndim != 1:
            raise UserError(f"{name} must be one for each row [N], got {list(given.shape)}")
        return given
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UserError(f"{name} must be a list, one for each row, got {given!r}")
    return list(given)


def id_order(ids: Any, total: int) -> NDArray[np.int64] | None:
    """Return rows in ascending order of their ids [N], or None if they are in order already.

    Raises:
        UserError: If an id is there twice, or there is not one for each row.
    """
    if ids is None:
        return None
    if len(ids) != total:
        raise UserError(f"ids must be one for each of {total} embeddings, got {len(ids)}")
    try:
        values = np.asarray(ids)
    except ValueError:  # tuples of several lengths
        values = np.empty(0, object)
    if values.shape != (total,):  # tuples
        values = np.fromiter(ids, dtype=object, count=total)
    missing = sum(map(is_missing, values)) if values.dtype.kind in "Of" else 0
    if missing:
        raise UserError(f"{missing} ids are missing; each row needs its own")
    kind = np.array([str(each) for each in values]) if values.dtype == object else values
    order = np.argsort(kind, kind="stable").astype(np.int64)
    same = np.flatnonzero(kind[order][1:] == kind[order][:-1])
    if len(same):
        raise UserError(
            f"{len(same)} ids are there twice, among them {kind[order][same[0]]!s}; each row needs its own"
        )
    return None if np.array_equal(order, np.arange(total)) else order


def check_whole(value: Any, *, name: str, least: int) -> int:
    """Return a whole number that is not too small.

    Raises:
        ConfigError: If it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ConfigError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ConfigError(f"{name} must be >= {least}, got {value}")
    return int(value)


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
    given = as_array(labelled, what=name)
    if given.ndim != 1:
        raise UserError(f"{name} must be row numbers [L] or a mask [{total}], got {list(given.shape)}")
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
    given = by_row(labels, name="labels")
    if len(given) != total:
        raise UserError(f"labels must be one for each of {total} embeddings, got {len(given)}")
    is_plain = isinstance(given, np.ndarray) and given.dtype != object
    if not is_plain and any(isinstance(value, list | tuple | np.ndarray) for value in given):
        raise UserError("labels must be one class for each row [N], got several in a row")
    array = np.asarray(given)
    if np.issubdtype(array.dtype, np.integer):
        codes = array.astype(np.int64)
        if codes.size and codes.min() < UNKNOWN:
            raise UserError(
                f"labels must be numbers of classes, or -1 where it is not known, got {codes.min()}"
            )
        return codes, tuple(str(number) for number in range(int(codes.max(initial=UNKNOWN)) + 1))
    named = [None if is_missing(value) or value == "" else str(value) for value in given]
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
    given = as_array(probs, what="probs")
    if given.ndim not in (2, 3) or given.shape[-2] != total or given.shape[-1] < 2:
        raise UserError(
            f"probs must be [N, C] or [M, N, C] with N = {total} and C >= 2, got {list(given.shape)}"
        )
    if not np.issubdtype(given.dtype, np.floating):
        try:
            given = given.astype(np.float64)
        except (TypeError, ValueError):
            raise UserError("probs must be finite numbers") from None
    if not np.isfinite(given).all():
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
    if scores is not None and not isinstance(scores, Mapping):
        raise UserError(f"scores must be a mapping of names to numbers [N], got {type(scores).__name__}")
    checked = {}
    for name, values in (scores or {}).items():
        try:
            given = as_array(values, what=f"scores['{name}']").astype(np.float64)
        except (TypeError, ValueError):
            raise UserError(f"scores['{name}'] must be numbers") from None
        if given.shape != (total,):
            raise UserError(
                f"scores['{name}'] must be one for each of {total} embeddings, got {list(given.shape)}"
            )
        if not np.isfinite(given).all():
            raise UserError(f"scores['{name}'] must be finite; {int((~np.isfinite(given)).sum())} are not")
        checked[name] = given
    return checked


def as_plan(given: Any, *, name: str) -> list[Any] | None:
    """Return a list of objectives or constraints, as ``name`` says.

    Raises:
        UserError: If it is no list, or holds something else.
    """
    if given is None:
        return None
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        got = type(given).__name__
        raise UserError(f"{name} must be a list of what sslcore.selection.{name} has, got {got}")
    found = list(given)
    for number, each in enumerate(found):
        if isinstance(each, type) or not (hasattr(each, "begin") or hasattr(each, "units")):
            got = f"the class {each.__name__}" if isinstance(each, type) else type(each).__name__
            raise UserError(
                f"{name}[{number}] must be made of a class of sslcore.selection.{name}, got {got}"
            )
        kind = "objectives" if hasattr(each, "strength") else "constraints"
        if kind != name:
            raise UserError(f"{name}[{number}] is {type(each).__name__}, which belongs into {kind}=")
    return [_with_arrays(each) for each in found]


def _with_arrays(each: Any) -> Any:
    """Return an objective or constraint whose values by row are arrays, whatever they were."""
    if not is_dataclass(each) or isinstance(each, type):
        return each
    what, found = f"'{getattr(each, 'name', type(each).__name__)}'", {}
    for name in {field.name for field in fields(each)} & {*BY_ROW, *OF_SAMPLES}:
        value = getattr(each, name)
        if isinstance(value, str) or (value is None and name in ("probs", "vectors")):
            continue
        found[name] = as_values(value, what=what) if name in BY_ROW else as_array(value, what=what)
        if not found[name].ndim:
            raise UserError(f"{name} of {what} must be a list, got {value!r}")
    return replace(each, **found) if found else each
