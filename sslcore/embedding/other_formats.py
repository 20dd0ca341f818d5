"""Embeddings as other programs read them: lightly's CSV, and a plain NumPy matrix."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sslcore.embedding.store import as_matrix, open_parts

__all__ = ["write_csv", "write_npy"]


def write_csv(folder: Path) -> Path:
    """Write ``embeddings.csv`` beside the parts, in lightly's layout; a part at a time.

    Columns: filenames, embedding_0, ..., labels. Labels are numbers: of the class in alphabetical order, and
    -1 for none.

    Raises:
        UserError: If there are no parts.
    """
    parts = open_parts(folder)
    classes = sorted({str(label) for path in parts.paths for label in _labels(path) if label is not None})
    number_of = {name: number for number, name in enumerate(classes)}
    target = folder / "embeddings.csv"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["filenames", *(f"embedding_{place}" for place in range(parts.embed_dim)), "labels"])
        for path in parts.paths:
            table = pq.read_table(path)
            names, labels = table["filename"].to_pylist(), table["label"].to_pylist()
            vectors = as_matrix(table["embedding"]).tolist()
            for name, vector, label in zip(names, vectors, labels, strict=True):
                writer.writerow([name, *vector, number_of.get(label, -1)])
    return target


def write_npy(folder: Path) -> Path:
    """Write ``embeddings.npy`` beside the parts, [N, D] in their order and type; a part at a time.

    Raises:
        UserError: If there are no parts.
    """
    parts = open_parts(folder)
    total = sum(pq.read_metadata(path).num_rows for path in parts.paths)
    target = folder / "embeddings.npy"
    matrix = np.lib.format.open_memmap(
        target, mode="w+", dtype=np.dtype(parts.dtype), shape=(total, parts.embed_dim)
    )
    start = 0
    for path in parts.paths:
        vectors = as_matrix(pq.read_table(path, columns=["embedding"])["embedding"])
        matrix[start : start + len(vectors)] = vectors
        start += len(vectors)
    matrix.flush()
    return target


def _labels(path: Path) -> list[str | None]:
    labels: list[str | None] = pq.read_table(path, columns=["label"])["label"].to_pylist()
    return labels
