"""sslflow dump, on a dataset of its own; no flow is run."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from flows.cli import main
from sslcore.config import IngestConfig
from sslcore.data.ingest import ingest


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six images, of which two are selected."""
    (tmp_path / "source").mkdir()
    for number in range(6):
        pixels = np.full((8, 8, 3), 40 * number, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"source/{number}.png")
    output = tmp_path / "data/dataset"
    output.mkdir(parents=True)
    config = IngestConfig(source="source", val_fraction=0, test_fraction=0)
    ingest(config, output=output, root=tmp_path)
    ids = pq.read_table(output / "manifest.parquet").column("sample_id")
    (tmp_path / "data/selection").mkdir()
    pq.write_table(pa.table({"sample_id": [ids[4], ids[1]]}), tmp_path / "data/selection/selection.parquet")
    (tmp_path / "params.yaml").write_text("ingest: {source: source}\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_selection_is_dumped(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "to-label", "--selection", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_files"] == 2
    assert sorted(path.name for path in (workspace / "to-label").iterdir()) == ["1.png", "4.png"]
    for name in ("1.png", "4.png"):
        assert (workspace / "to-label" / name).read_bytes() == (workspace / "source" / name).read_bytes()


def test_named_files_of_another_dataset_are_dumped(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "names.txt").write_text("5.png\n0.png\n")
    arguments = ["dump", "out", "--filenames", "names.txt", "--split", "train", "--dataset", "data/dataset"]
    assert main(arguments) == 0
    assert capsys.readouterr().err.startswith("2 files (0.0 MB) are in out/")


def test_mistakes_are_one_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "out", "--split", "test"]) == 2
    assert "error: there is no split of the dataset named test" in capsys.readouterr().err
    (workspace / "data/selection/selection.parquet").unlink()
    assert main(["dump", "out", "--selection"]) == 2
    assert "run 'sslflow select' first" in capsys.readouterr().err
