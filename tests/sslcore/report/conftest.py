"""The outputs of the other stages: real where that is cheap, else written by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sslcore.backbones import build_backbone, save_backbone
from sslcore.config import IngestConfig, ReportConfig
from sslcore.data import read_manifest
from sslcore.data.ingest import ingest
from sslcore.report.build import ReportReport, report

HOSTILE = "</script><img src=x onerror=alert(1)>"

Inputs = dict[str, Any]


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backbone")
    made = build_backbone("resnet10-small", image_size=16, seed=0)
    save_backbone(folder, made, backbone="resnet10-small", image_size=16)
    rows = [
        "epoch,loss,lr,knn_accuracy,feature_std,effective_rank",
        "1,2.5,0.1,,,",
        "2,1.5,0.05,0.5,0.04,7.5",
    ]
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def make_inputs(tmp_path: Path, backbone: Path) -> Callable[..., Inputs]:
    def make(num_images: int = 12, num_selected: int = 4, label: str = "cat") -> Inputs:
        draw(tmp_path / "pictures", num_images, label)
        dataset = tmp_path / "dataset"
        dataset.mkdir()
        ingest(IngestConfig(source="pictures", max_bad_fraction=0.5), output=dataset, root=tmp_path)
        manifest = read_manifest(dataset)
        for folder in ("embeddings", "selection", "plots", "labels"):
            (tmp_path / folder).mkdir()
        write_embeddings(tmp_path / "embeddings", manifest)
        write_selection(tmp_path / "selection", manifest, num_selected)
        (tmp_path / "plots" / "confusion.csv").write_text(
            f'actual,predicted\n"{label}","{label}"\n"{label}",dog\n'
        )
        measured = {
            "knn": {"backbone": 0.7, "random_weights": 0.2, "champion": {"model_id": "x", "accuracy": 0.6}}
        }
        (tmp_path / "evaluate.json").write_text(
            json.dumps({**measured, "chance": 0.1, "effective_rank": 9.0})
        )
        names = ("dataset", "embeddings", "selection", "plots", "labels")
        return {name: tmp_path / name for name in names} | {
            "metrics": tmp_path / "evaluate.json",
            "backbone": backbone,
        }

    return make


def draw(folder: Path, num_images: int, label: str) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"{number:02}.png" for number in range(num_images)]
    for name in names:
        colour = tuple(int(each) for each in rng.integers(0, 255, 3))
        Image.new("RGB", (int(rng.integers(16, 60)), 32), colour).save(folder / name)
    half = names[: num_images // 2]
    rows = pd.DataFrame({"filename": half, "label": [label if n % 2 else "dog" for n in range(len(half))]})
    rows.to_csv(folder / "labels.csv", index=False)
    (folder / "empty.jpg").touch()


def write_embeddings(folder: Path, manifest: pd.DataFrame) -> None:
    vectors = np.random.default_rng(1).standard_normal((len(manifest), 4)).astype(np.float32)
    table = pa.table(
        {
            "sample_id": pa.array(manifest["sample_id"], pa.string()),
            "filename": pa.array(manifest["filename"], pa.string()),
            "label": pa.array([None] * len(manifest), pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 4),
        }
    )
    metadata = {"model_id": "m", "dataset_fingerprint": "d", "normalized": "false", "schema_version": "1"}
    table = table.replace_schema_metadata({f"sslflow.{key}": value for key, value in metadata.items()})
    pq.write_table(table, folder / "part-00000.parquet")


def write_selection(folder: Path, manifest: pd.DataFrame, num_selected: int) -> None:
    picked = manifest.tail(num_selected)
    columns: dict[str, Any] = {
        "rank": pa.array(range(1, num_selected + 1), pa.int64()),
        "sample_id": pa.array(picked["sample_id"], pa.string()),
        "filename": pa.array(picked["filename"], pa.string()),
        "round": pa.array([1] * num_selected, pa.int64()),
        "reason": pa.array([f"group {number} {HOSTILE}" for number in range(num_selected)], pa.string()),
    }
    pq.write_table(pa.table(columns), folder / "selection.parquet")


@pytest.fixture
def write_page(tmp_path: Path) -> Callable[..., tuple[Path, ReportReport]]:
    def write(inputs: Inputs, name: str = "page", **settings: Any) -> tuple[Path, ReportReport]:
        output = tmp_path / name
        output.mkdir()
        config = ReportConfig(**{"map": "pca", **settings})
        return output / "index.html", report(config, output=output, **inputs)

    return write
