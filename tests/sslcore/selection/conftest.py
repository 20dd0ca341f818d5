"""A data set without images, and its embeddings: all that selecting reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sslcore.data.manifest import MANIFEST_SCHEMA, write_manifest
from sslcore.embedding.store import write_part


@dataclass(frozen=True)
class Folders:
    """Where the step reads and writes."""

    dataset: Path
    embeddings: Path
    labels: Path
    output: Path

    def without_output(self) -> dict[str, Path]:
        """Return what stays the same between runs."""
        return {"dataset": self.dataset, "embeddings": self.embeddings, "labels": self.labels}


MakeFolders = Callable[..., Folders]


@pytest.fixture
def make_folders(tmp_path: Path) -> MakeFolders:
    def make(
        vectors: list[list[float]], *, splits: str = "", labels: dict[int, str] | None = None
    ) -> Folders:
        """Sample i is id{i}, {i}.png; splits holds a letter (t, v, x for test) per sample."""
        folders = Folders(*(tmp_path / name for name in ("dataset", "embeddings", "labels", "output")))
        for folder in (folders.dataset, folders.embeddings, folders.labels, folders.output):
            folder.mkdir()
        names = {"t": "train", "v": "val", "x": "test"}
        ids = [f"id{i}" for i in range(len(vectors))]
        own = [(labels or {}).get(i) for i in range(len(vectors))]
        given: dict[str, list[Any]] = {
            "sample_id": ids,
            "filename": [f"{i}.png" for i in range(len(vectors))],
            "label": own,
            "split": [names[letter] for letter in splits or "t" * len(vectors)],
        }
        write_manifest(
            [
                {name: given[name][i] if name in given else None for name in MANIFEST_SCHEMA.names}
                for i in range(len(vectors))
            ],
            folders.dataset / "manifest.parquet",
        )
        write_part(
            folders.embeddings / "part-00000.parquet",
            sample_ids=ids,
            filenames=[f"{i}.png" for i in range(len(vectors))],
            labels=own,
            vectors=np.array(vectors, np.float32),
            model_id="m1",
            dataset_fingerprint="f1",
            normalized=False,
        )
        return folders

    return make
