"""The files of embeddings: ``part-00000.parquet``, ``part-00001.parquet``, ... in one folder.

Columns: sample_id, filename, label (null where there is none), embedding (fixed-size list of float32 or
float16). Rows are in the order of the manifest. Every part's schema metadata names the model version
and the data set's fingerprint.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sslcore.errors import UserError

__all__ = ["EmbeddingParts", "Embeddings", "open_parts", "part_paths", "read_embeddings", "write_part"]

SCHEMA_VERSION = "1"
_FEATURES = "sslflow.features"
_KEYS = ("model_id", "dataset_fingerprint", "normalized", "schema_version")


@dataclass(frozen=True)
class Embeddings:
    """A vector per sample, and where they come from."""

    sample_ids: list[str]
    """Ids, none twice [N]."""
    filenames: list[str]
    """Names of the samples [N]."""
    labels: list[str | None]
    """The data set's own labels, None where there is none [N]."""
    vectors: NDArray[np.float32]
    """float32 [N, D], whatever the files hold."""
    model_id: str
    """Version of the model that made them."""
    dataset_fingerprint: str
    """Fingerprint of the data set they were made of."""
    normalized: bool
    """Whether the vectors have unit length."""
    features: str = "pooled"
    """Which features of the network they are."""

    def __post_init__(self) -> None:
        if len(set(self.sample_ids)) < len(self.sample_ids):
            twice = len(self.sample_ids) - len(set(self.sample_ids))
            raise UserError(f"{twice} sample ids of the embeddings are there twice; embed again")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sample_ids)


@dataclass(frozen=True)
class EmbeddingParts:
    """The files of a folder, opened but not read."""

    paths: tuple[Path, ...]
    """Parts in order."""
    model_id: str
    """Version of the model that made them."""
    dataset_fingerprint: str
    """Fingerprint of the data set they were made of."""
    normalized: bool
    """Whether the vectors have unit length."""
    dtype: str
    """float32 or float16."""
    embed_dim: int
    """Length of a vector."""
    features: str
    """Which features of the network they are."""


def write_part(
    path: Path,
    *,
    sample_ids: Sequence[str],
    filenames: Sequence[str],
    labels: Sequence[str | None],
    vectors: NDArray[Any],
    model_id: str,
    dataset_fingerprint: str,
    normalized: bool,
    features: str = "pooled",
) -> None:
    """Write one part; the same input gives the same bytes.

    Args:
        path: Where to.
        sample_ids: Ids [N].
        filenames: Names [N].
        labels: Labels, None where there is none [N].
        vectors: float32 or float16 [N, D].
        model_id: Version of the model.
        dataset_fingerprint: Fingerprint of the data set.
        normalized: Whether the vectors have unit length.
        features: Which features of the network they are.
    """
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    metadata = dict(
        zip(_KEYS, (model_id, dataset_fingerprint, str(normalized).lower(), SCHEMA_VERSION), strict=True)
    )
    schema = pa.schema(
        [
            pa.field("sample_id", pa.string()),
            pa.field("filename", pa.string()),
            pa.field("label", pa.string()),
            pa.field("embedding", pa.list_(flat.type, vectors.shape[1])),
        ],
        metadata={f"sslflow.{key}": value for key, value in metadata.items()} | {_FEATURES: features},
    )
    columns = [
        pa.array(list(sample_ids), pa.string()),
        pa.array(list(filenames), pa.string()),
        pa.array(list(labels), pa.string()),
        pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    ]
    # Floats of features hardly repeat: a dictionary or compression would only cost time.
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(
        pa.table(columns, schema=schema), partial, use_dictionary=["label"], compression="none", version="2.6"
    )
    os.replace(partial, path)


def part_paths(folder: Path) -> list[Path]:
    """Return the parts of a folder in order."""
    return sorted(folder.glob("part-*.parquet"))


def open_parts(folder: Path) -> EmbeddingParts:
    """Read what the parts of a folder say about themselves, without their rows.

    Raises:
        UserError: If there is no part, one is not readable, or they do not belong together.
    """
    paths = part_paths(folder)
    if not paths:
        raise UserError(f"{folder}: no embeddings here; make them with: sslflow embed")
    described = [describe_part(path) for path in paths]
    for path, other in zip(paths, described, strict=True):
        if other != described[0]:
            raise UserError(f"{path} does not belong with {paths[0].name}; delete the folder and embed again")
    return EmbeddingParts(tuple(paths), **described[0])


def read_embeddings(folder: Path) -> Embeddings:
    """Read all embeddings of a folder into memory.

    Args:
        folder: The workspace's ``data/embeddings``.

    Raises:
        UserError: If there are none, or the parts do not belong together.
    """
    parts = open_parts(folder)
    tables = [pq.read_table(path) for path in parts.paths]
    return Embeddings(
        sample_ids=[value for table in tables for value in table["sample_id"].to_pylist()],
        filenames=[value for table in tables for value in table["filename"].to_pylist()],
        labels=[value for table in tables for value in table["label"].to_pylist()],
        vectors=np.concatenate([as_matrix(table["embedding"]) for table in tables]).astype(np.float32),
        model_id=parts.model_id,
        dataset_fingerprint=parts.dataset_fingerprint,
        normalized=parts.normalized,
        features=parts.features,
    )


def as_matrix(column: Any) -> NDArray[Any]:
    """Return a column of fixed-size lists as a matrix [N, D] of the stored type."""
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    empty = np.empty(0, column.type.value_type.to_pandas_dtype())
    return np.concatenate([empty, *chunks]).reshape(-1, column.type.list_size)


def describe_part(path: Path) -> dict[str, Any]:
    """Return what a part says about itself: the fields of `EmbeddingParts` but for its paths.

    Raises:
        UserError: If it is not readable, or of another schema.
    """
    try:
        schema = pq.read_schema(path)
        raw = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        model_id, fingerprint, normalized, version = (raw[f"sslflow.{key}"] for key in _KEYS)
        vector = schema.field("embedding").type
        dtype, embed_dim = np.dtype(vector.value_type.to_pandas_dtype()).name, int(vector.list_size)
    except (OSError, pa.ArrowException, KeyError, AttributeError, UnicodeDecodeError):
        raise UserError(f"{path} holds no embeddings of sslflow; delete the folder and embed again") from None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {version}, this sslflow reads {SCHEMA_VERSION}; embed again"
        )
    return {
        "model_id": model_id,
        "dataset_fingerprint": fingerprint,
        "normalized": normalized == "true",
        "dtype": dtype,
        "embed_dim": embed_dim,
        "features": raw.get(_FEATURES, "pooled"),
    }
