"""The outputs of the other stages: real where that is cheap, else written by hand."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sslcore.backbones import build_backbone, read_model_info, save_backbone
from sslcore.config import IngestConfig, ReportConfig
from sslcore.data import read_manifest
from sslcore.data.ingest import ingest
from sslcore.report.build import ReportReport, report

Inputs = dict[str, Any]

METRICS = {
    "knn": {"backbone": 0.7, "random_weights": 0.2, "champion": {"model_id": "x", "accuracy": 0.6}},
    "chance": 0.1,
    "effective_rank": 9.0,
}
HISTORY = "epoch,loss,lr,knn_accuracy,feature_std,effective_rank\n1,2.5,0.1,,,\n2,1.5,0.05,0.5,0.04,7.5\n"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backbone")
    made = build_backbone("resnet10-small", image_size=16, seed=0)
    save_backbone(folder, made, backbone="resnet10-small", image_size=16)
    return folder


@pytest.fixture
def make_inputs(tmp_path: Path, trained: Path) -> Callable[..., Inputs]:
    """Write what the stages write, of pictures of one colour each; half have the label cat or dog."""

    def make(
        num_images: int = 12,
        num_selected: int = 4,
        label: str = "cat",
        also: Sequence[str] = (),
        reason: str = "far from all others",
    ) -> Inputs:
        names = [f"{number:02}.png" for number in range(num_images)]
        draw(tmp_path / "pictures", [*names, *also])
        half = names[: num_images // 2]
        rows = {"filename": half, "label": [label if n % 2 else "dog" for n in range(len(half))]}
        pd.DataFrame(rows).to_csv(tmp_path / "pictures" / "labels.csv", index=False)
        places = ("dataset", "embeddings", "selection", "plots", "labels", "backbone")
        for place in places:
            (tmp_path / place).mkdir()
        dataset = tmp_path / "dataset"
        ingest(IngestConfig(source="pictures", max_bad_fraction=0.9), output=dataset, root=tmp_path)
        for name in ("backbone.safetensors", "model.json"):
            (tmp_path / "backbone" / name).write_bytes((trained / name).read_bytes())
        (tmp_path / "backbone" / "history.csv").write_text(HISTORY)
        model_id = read_model_info(trained).model_id
        manifest = read_manifest(dataset)
        write_embeddings(tmp_path / "embeddings", manifest, model_id)
        write_selection(tmp_path / "selection", manifest, num_selected, model_id, reason)
        quoted = '"' + label.replace('"', '""') + '"'
        (tmp_path / "plots" / "confusion.csv").write_text(
            f"actual,predicted\n{quoted},{quoted}\n{quoted},dog\n"
        )
        (tmp_path / "evaluate.json").write_text(json.dumps(METRICS))
        return {name: tmp_path / name for name in places} | {"metrics": tmp_path / "evaluate.json"}

    return make


def draw(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in names:
        colour = tuple(int(each) for each in rng.integers(0, 255, 3))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (int(rng.integers(16, 60)), 32), colour).save(folder / name)
    (folder / "empty.jpg").touch()


def write_embeddings(folder: Path, manifest: pd.DataFrame, model_id: str) -> None:
    vectors = np.random.default_rng(1).standard_normal((len(manifest), 4)).astype(np.float32)
    table = pa.table(
        {
            "sample_id": pa.array(manifest["sample_id"], pa.string()),
            "filename": pa.array(manifest["filename"], pa.string()),
            "label": pa.array([None] * len(manifest), pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 4),
        }
    )
    metadata = {
        "model_id": model_id,
        "dataset_fingerprint": "d",
        "normalized": "false",
        "schema_version": "1",
    }
    table = table.replace_schema_metadata({f"sslflow.{key}": value for key, value in metadata.items()})
    pq.write_table(table, folder / "part-00000.parquet")


def write_selection(
    folder: Path, manifest: pd.DataFrame, num_selected: int, model_id: str, reason: str
) -> None:
    picked = manifest.tail(num_selected)
    columns: dict[str, Any] = {
        "rank": pa.array(range(1, num_selected + 1), pa.int64()),
        "sample_id": pa.array(picked["sample_id"], pa.string()),
        "filename": pa.array(picked["filename"], pa.string()),
        "round": pa.array([1] * num_selected, pa.int64()),
        "reason": pa.array([f"{reason}, {number}" for number in range(num_selected)], pa.string()),
    }
    metadata = {"sslflow.model_id": model_id, "sslflow.strategy": "k-center"}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), folder / "selection.parquet")


@pytest.fixture
def write_page(tmp_path: Path) -> Callable[..., tuple[Path, ReportReport]]:
    def write(inputs: Inputs, name: str = "page", **settings: Any) -> tuple[Path, ReportReport]:
        output = tmp_path / name
        output.mkdir()
        config = ReportConfig(**{"map": "pca", **settings})
        return output / "index.html", report(config, output=output, **inputs)

    return write


@pytest.fixture
def content_of() -> Callable[[Path], dict[str, Any]]:
    def read(page: Path) -> dict[str, Any]:
        pattern = r'<script type="application/json" id="content">(.*?)</script>'
        (data,) = re.findall(pattern, page.read_text("utf-8"))
        return dict(json.loads(data))

    return read
