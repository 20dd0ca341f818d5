"""Vectors that were made before, looked up by sample id without reading all of them at once."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sslcore.embedding.store import as_matrix, describe_part, part_paths
from sslcore.errors import UserError

__all__ = ["EarlierVectors"]

logger = logging.getLogger(__name__)


class EarlierVectors:
    """The vectors of earlier runs that are as this run would make them, whatever data set they were made of.

    Each part is judged by itself. Only ids are kept in memory, and the one part read last: the parts of all
    runs are in the order of the manifest, so a part is read about once.
    """

    def __init__(
        self,
        folders: Iterable[Path | None],
        *,
        model_id: str,
        dtype: str,
        normalized: bool,
        embed_dim: int,
        features: str = "pooled",
    ) -> None:
        """Open earlier folders; what was made otherwise counts as nothing.

        Args:
            folders: Embeddings of earlier runs, whole or not; None, missing and empty are nothing. The last
                one that has a sample is asked.
            model_id: The model of this run.
            dtype: How this run stores vectors.
            normalized: Whether this run normalizes.
            embed_dim: Length of this run's vectors.
            features: Which features this run takes.
        """
        self._place: dict[str, tuple[Path, int]] = {}
        self._paths: list[Path] = []
        self._path: Path | None = None
        self._matrix: NDArray[Any] = np.empty((0, embed_dim), dtype)
        self._finite: NDArray[np.bool_] = np.empty(0, np.bool_)
        wanted = {
            "model_id": model_id,
            "dtype": dtype,
            "normalized": normalized,
            "embed_dim": embed_dim,
            "features": features,
        }
        for folder in folders:
            for path in part_paths(folder) if folder is not None else ():
                self._open(path, wanted)

    def _open(self, path: Path, wanted: Mapping[str, object]) -> None:
        try:
            made = describe_part(path)
            if any(made[key] != value for key, value in wanted.items()):
                return
            ids = pq.read_table(path, columns=["sample_id"])["sample_id"].to_pylist()
        except (UserError, OSError, pa.ArrowException):
            logger.warning("%s cannot be read: the vectors it held are computed again", path)
            return
        self._paths.append(path)
        self._place.update((sample_id, (path, row)) for row, sample_id in enumerate(ids))

    def superseded(self, folders: Sequence[Path]) -> list[Path]:
        """Return the parts in ``folders`` that are never asked: a later one has all of their samples."""
        asked = {path for path, _ in self._place.values()}
        return [path for path in self._paths if path.parent in folders and path not in asked]

    def __contains__(self, sample_id: str) -> bool:
        """Return whether there is a vector for the sample."""
        return sample_id in self._place

    def fill(self, sample_ids: Sequence[str], out: NDArray[Any]) -> list[int]:
        """Copy the vectors that are there and say which are not.

        Args:
            sample_ids: Ids [N].
            out: Where the vectors go, [N, D]; rows that are not there are left alone.

        Returns:
            Positions without a vector that is finite, ascending.
        """
        missing: list[int] = []
        for position, sample_id in enumerate(sample_ids):
            place = self._place.get(sample_id)
            if place is None:
                missing.append(position)
                continue
            path, row = place
            if path != self._path:
                self._matrix = as_matrix(pq.read_table(path, columns=["embedding"])["embedding"])
                self._finite = np.isfinite(self._matrix).all(axis=1)
                self._path = path
            if self._finite[row]:
                out[position] = self._matrix[row]
            else:
                missing.append(position)
        return missing
