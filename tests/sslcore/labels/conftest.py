"""Four small pictures, ingested, of which three are selected."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sslcore.config import IngestConfig
from sslcore.data import read_manifest
from sslcore.data.ingest import ingest

NAMES = ("a.png", "sub/b.png", "sub/ü c.png", "d.png")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20), (60 * number, 0, 0)).save(path)
    (tmp_path / "dataset").mkdir()
    ingest(IngestConfig(source="pictures"), output=tmp_path / "dataset", root=tmp_path)
    return tmp_path / "dataset"


@pytest.fixture
def ids(dataset: Path) -> dict[str, str]:
    """From a name to its sample_id."""
    manifest = read_manifest(dataset)
    return dict(zip(manifest["filename"], manifest["sample_id"], strict=True))


@pytest.fixture
def selection(tmp_path: Path, ids: dict[str, str]) -> Path:
    rows = [
        {"rank": rank, "sample_id": ids[name], "filename": name, "round": 2, "reason": f"far, {rank}"}
        for rank, name in enumerate(NAMES[1:], 1)
    ]
    (tmp_path / "selection").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "selection" / "selection.parquet")
    return tmp_path / "selection"
