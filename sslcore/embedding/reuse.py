"""Vectors that were made before, looked up by sample id without reading all of them at once."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sslcore.embedding.store import as_matrix, open_parts, part_paths
from sslcore.errors import UserError

__all__ = ["EarlierVectors"]

logger = logging.getLogger(__name__)


class EarlierVectors:
    """The vectors of an earlier run that are as this run would make them.

    Only ids are kept in memory, and the one part read last: the parts of both runs are in the order of
    the manifest, so a part is read about once.
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
        self._path: Path | None = None
        self._matrix: NDArray[Any] = np.empty((0, embed_dim), dtype)
        wanted = (model_id, dtype, normalized, embed_dim, features)
        for folder in folders:
            if folder is not None and part_paths(folder):
                self._open(folder, wanted)

    def _open(self, folder: Path, wanted: tuple[str, str, bool, int, str]) -> None:
        try:
            parts = open_parts(folder)
        except UserError as error:
            logger.warning("%s is not taken over: %s", folder, error)
            return
        made = (parts.model_id, parts.dtype, parts.normalized, parts.embed_dim, parts.features)
        if made == wanted:
            for path in parts.paths:
                ids = pq.read_table(path, columns=["sample_id"])["sample_id"].to_pylist()
                self._place.update((sample_id, (path, row)) for row, sample_id in enumerate(ids))

    def __contains__(self, sample_id: str) -> bool:
        """Return whether there is a vector for the sample."""
        return sample_id in self._place

    def fill(self, sample_ids: Sequence[str], out: NDArray[Any]) -> list[int]:
        """Copy the vectors that are there and say which are not.

        Args:
            sample_ids: Ids [N].
            out: Where the vectors go, [N, D]; rows that are not there are left alone.

        Returns:
            Positions without a vector, ascending.
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
                self._path = path
            out[position] = self._matrix[row]
        return missing
