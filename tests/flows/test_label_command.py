"""Samples out to a labelling tool and labels back, from the command line."""

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from flows.cli import main


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with two samples, of which one is selected."""
    for name, content in {"dvc.yaml": "stages: {}\n", "params.yaml": "ingest: {source: pictures}\n"}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "pictures").mkdir()
    for number in range(2):
        Image.new("RGB", (16, 16), (90 * number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    assert main(["ingest"]) == 0
    picked = pd.read_parquet("data/dataset/manifest.parquet").iloc[[1]]
    (tmp_path / "data" / "selection").mkdir()
    rows = picked[["sample_id", "filename"]].assign(rank=1, round=1, reason="far")
    rows.to_parquet("data/selection/selection.parquet")
    return tmp_path


def test_what_is_exported_and_filled_in_comes_back(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "export", "out", "--format", "csv"]) == 0
    assert "1 samples for csv in out/" in capfd.readouterr().err
    table = pd.read_csv("out/labels.csv").assign(label="cat")
    table.to_csv("out/labels.csv", index=False)
    assert main(["label", "import", "out/labels.csv", "--format", "csv", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["num_labels"] == 1
    assert (root / "data" / "labels" / "csv.csv").read_text().splitlines()[1].endswith(",1.png,cat,1")


def test_mistakes_are_one_line(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (root / "out").mkdir()
    assert main(["label", "export", "out"]) == 2
    assert main(["label", "export", "new", "--format", "labelstudio"]) == 2
    assert main(["label", "import", "none.json"]) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert [each[:30] for each in errors] == [
        "error: out exists already; nam",
        "error: format must be one of c",
        "error: none.json cannot be rea",
    ]
    assert not (root / "new").exists()
