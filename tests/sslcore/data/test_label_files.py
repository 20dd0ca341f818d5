"""Labels from Parquet and COCO, and metadata by filename."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sslcore.data import read_dataset_info, read_manifest
from sslcore.data.ingest import IngestReport
from sslcore.data.label_files import read_coco
from sslcore.errors import ConfigError, UserError

Write = Callable[..., Path]
RunIngest = Callable[..., IngestReport]


@pytest.fixture
def source(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    """Three images and a video of three frames."""
    for seed, name in enumerate(["images/a.png", "images/b.png", "images/c.png"]):
        write_image(tmp_path / "source" / name, seed)
    write_video(tmp_path / "source/clip.mp4", num_frames=3)
    return tmp_path / "source"


def labels(dataset: Path) -> dict[str, str]:
    manifest = read_manifest(dataset).dropna(subset="label")
    return dict(zip(manifest["filename"], manifest["label"], strict=True))


def coco(*annotations: tuple[int, int]) -> dict[str, Any]:
    return {
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "images": [{"id": 10 + i, "file_name": f"{'abc'[i]}.png"} for i in range(3)],
        "annotations": [{"image_id": image, "category_id": category} for image, category in annotations],
    }


def test_parquet_gives_labels(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    table = {"filename": ["./images/a.png", "clip-1-mp4.png", "images/b.png"], "label": ["cat", "run", None]}
    pd.DataFrame(table).to_parquet(source / "labels.parquet")
    report = run_ingest(source, tmp_path / "out", frames="all")
    assert labels(tmp_path / "out") == {"images/a.png": "cat", "clip-1-mp4.png": "run"}
    assert read_dataset_info(tmp_path / "out").labels_from == "labels.parquet"
    assert "ingest.labels: none leaves it unread" in report.summary


def test_numbers_are_labels_too(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    pd.DataFrame({"filename": ["images/a.png"], "label": [3]}).to_parquet(source / "mine.parquet")
    run_ingest(source, tmp_path / "out", labels="mine.parquet")
    assert labels(tmp_path / "out") == {"images/a.png": "3"}


def test_coco_gives_the_names_of_categories(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (source / "annotations.json").write_text(
        json.dumps(coco((10, 7), (11, 3), (11, 3), (11, 7), (12, 7), (12, 3))), encoding="utf-8"
    )
    report = run_ingest(source, tmp_path / "out", labels="annotations.json")
    # b.png has two cats and a dog; c.png one of each, and cat comes first by name.
    assert labels(tmp_path / "out") == {"images/a.png": "dog", "images/b.png": "cat", "images/c.png": "cat"}
    assert "2 images have several categories, the most frequent is taken" in report.summary


def test_a_name_of_coco_is_looked_for_by_its_last_part_only_if_one_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(coco((10, 7), (11, 3))), encoding="utf-8")
    table, _ = read_coco(tmp_path / "a.json", ["x/a.png", "y/a.png", "z/b.png"])
    assert table == {"a.png": "dog", "z/b.png": "cat"}
    table, _ = read_coco(tmp_path / "a.json", ["a.png", "y/a.png"])
    assert table["a.png"] == "dog"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "is no COCO file with images, annotations and categories"),
        ("a.json", b'{"images": []}', "KeyError: 'categories'"),
        ("gone.json", None, "cannot be read: No such file"),
        ("gone.parquet", None, "cannot be read"),
        ("a.parquet", b"no parquet", "is no Parquet file"),
        ("deep.json", b"[" * 100_000, "is no COCO file"),
        ("a.csv", b'filename,label\na.jpg,x\n"b.jpg,x\nc.jpg,x\n', "is no CSV file"),
        ("a.csv", b"filename,label\na.jpg,red, large\n", "line 2: more cells than columns"),
    ],
)
def test_bad_tables_are_one_line_errors(
    name: str, content: bytes | None, message: str, source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    if content is not None:
        (source / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        run_ingest(source, tmp_path / "out", labels=name)
    assert "\n" not in str(caught.value)


def test_a_parquet_without_the_columns_is_refused(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    pd.DataFrame({"name": ["a"]}).to_parquet(source / "a.parquet")
    with pytest.raises(UserError, match="needs the columns filename,label, it has: name"):
        run_ingest(source, tmp_path / "out", labels="a.parquet")


def test_a_parquet_of_bytes_is_refused(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    pd.DataFrame({"filename": ["a"], "label": [b"cat"]}).to_parquet(source / "a.parquet")
    with pytest.raises(UserError, match="must be text or numbers, got b'cat'"):
        run_ingest(source, tmp_path / "out", labels="a.parquet")


def test_metadata_is_kept_by_sample(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (source / "metadata.csv").write_text(
        "filename,weather,lux\nimages/a.png,rain,20\nclip.mp4,sun,900\nclip-1-mp4.png,dusk,5\ngone.png,x,1\n",
        encoding="utf-8",
    )
    run_ingest(source, tmp_path / "out", frames="all")
    found = pd.read_parquet(tmp_path / "out/metadata.parquet").set_index("sample_id")
    manifest = read_manifest(tmp_path / "out").set_index("sample_id")
    joined = manifest.join(found, how="inner").set_index("filename")
    assert joined["weather"].to_dict() == {
        "images/a.png": "rain",
        "clip-0-mp4.png": "sun",
        "clip-1-mp4.png": "dusk",
        "clip-2-mp4.png": "sun",
    }
    assert joined["lux"].tolist() == [900, 5, 900, 20]
    assert labels(tmp_path / "out") == {}


def test_without_metadata_there_is_no_such_file(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (source / "metadata.csv").write_text("filename,lux\nimages/a.png,1\n", encoding="utf-8")
    run_ingest(source, tmp_path / "out", metadata="none")
    assert not (tmp_path / "out/metadata.parquet").exists()


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("some", ConfigError, "must be auto, none, or a .csv or .parquet file"),
        ("gone.csv", UserError, "gone.csv cannot be read"),
        ("one.csv", UserError, "needs a column filename and others"),
        ("twice.csv", UserError, "has 'a' twice"),
    ],
)
def test_bad_metadata_is_a_one_line_error(
    setting: str, error: type[Exception], message: str, source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    (source / "one.csv").write_text("filename\na\n", encoding="utf-8")
    (source / "twice.csv").write_text("filename,x\na,1\n./a,2\n", encoding="utf-8")
    with pytest.raises(error, match=message) as caught:
        run_ingest(source, tmp_path / "out", metadata=setting)
    assert "\n" not in str(caught.value)


def test_the_store_has_no_table_of_metadata_of_before(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    (source / "metadata.csv").write_text("filename,lux\nimages/a.png,1\n", encoding="utf-8")
    run_ingest(source, tmp_path / "one")
    assert pq.read_table(tmp_path / "one/metadata.parquet").num_rows == 1
    (source / "metadata.csv").unlink()
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    assert not (tmp_path / "two/metadata.parquet").exists()
