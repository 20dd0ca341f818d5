"""Where labels come from, and what was decided."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sslcore.data import read_dataset_info, read_manifest
from sslcore.data.ingest import IngestReport
from sslcore.data.labels import class_folders
from sslcore.errors import ConfigError, UserError

Write = Callable[..., Path]
RunIngest = Callable[..., IngestReport]


def labels(dataset: Path) -> dict[str, str | None]:
    rows = pq.read_table(dataset / "manifest.parquet").to_pylist()
    return {row["filename"]: row["label"] for row in rows}


@pytest.fixture
def folders(tmp_path: Path, write_image: Write) -> Path:
    """Two class folders."""
    for seed, name in enumerate(["cat/0.png", "cat/1.png", "dog/2.png"]):
        write_image(tmp_path / "source" / name, seed)
    return tmp_path / "source"


def test_class_folders_are_labels(folders: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    report = run_ingest("source", tmp_path / "out")
    assert labels(tmp_path / "out") == {"cat/0.png": "cat", "cat/1.png": "cat", "dog/2.png": "dog"}
    info = read_dataset_info(tmp_path / "out")
    assert (info.labels_from, info.classes, info.num_labelled) == ("class folders", ("cat", "dog"), 3)
    assert "from class folders; ingest.labels: none turns that off" in report.summary


def test_videos_do_not_hinder_class_folders_and_get_no_label(
    folders: Path, tmp_path: Path, run_ingest: RunIngest, write_video: Write
) -> None:
    write_video(folders / "clip.mp4", num_frames=3)
    write_video(folders / "cat/deep/clip.mp4", num_frames=3, seed=1)
    run_ingest("source", tmp_path / "out", frames="every 3")
    found = labels(tmp_path / "out")
    assert {found[name] for name in found if "mp4" in name} == {None}
    assert {found[name] for name in found if "mp4" not in name} == {"cat", "dog"}


@pytest.mark.parametrize("extra", ["root.png", "dog/deeper/x.png"])
def test_an_image_elsewhere_means_that_folders_are_no_classes(
    extra: str, folders: Path, tmp_path: Path, run_ingest: RunIngest, write_image: Write
) -> None:
    write_image(folders / extra, 9)
    run_ingest("source", tmp_path / "out")
    assert set(labels(tmp_path / "out").values()) == {None}
    assert read_dataset_info(tmp_path / "out").labels_from == "none"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/x", "b/y"], True),
        (["a/x", "a/y"], False),
        (["x", "y"], False),
        ([], False),
        (["a/x", "b/c/y"], False),
    ],
)
def test_what_counts_as_class_folders(names: list[str], expected: bool) -> None:
    assert class_folders(names) is expected


def test_labels_none_leaves_folders_unread(folders: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest("source", tmp_path / "out", labels="none")
    assert set(labels(tmp_path / "out").values()) == {None}


def test_labels_csv_wins_over_folders(folders: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (folders / "labels.csv").write_text(
        "\ufefflabel,filename,by\nlion,cat/0.png,me\n wolf ,./dog/2.png,me\n,cat/1.png,me\nx,gone.png,me\n",
        encoding="utf-8",
    )
    report = run_ingest("source", tmp_path / "out")
    assert labels(tmp_path / "out") == {"cat/0.png": "lion", "cat/1.png": None, "dog/2.png": "wolf"}
    assert read_dataset_info(tmp_path / "out").labels_from == "labels.csv"
    assert "1 names in the labels.csv table match no sample ('gone.png')" in report.summary


def test_a_table_may_label_a_video_or_one_frame(
    tmp_path: Path, run_ingest: RunIngest, write_video: Write
) -> None:
    write_video(tmp_path / "source/clip.mp4", num_frames=3)
    (tmp_path / "source/own.csv").write_text(
        "filename,label\nclip.mp4,run\nclip-1-mp4.png,stand\n", encoding="utf-8"
    )
    run_ingest("source", tmp_path / "out", labels="own.csv", frames="all")
    assert list(labels(tmp_path / "out").values()) == ["run", "stand", "run"]


def test_a_pattern_gives_labels(tmp_path: Path, write_image: Write, run_ingest: RunIngest) -> None:
    for seed, name in enumerate(["train/cat/a.png", "train/dog/b/c.png", "val/cat/d.png", "train/dog/e.png"]):
        write_image(tmp_path / "source" / name, seed)
    run_ingest("source", tmp_path / "out", labels="train/{label}/*")
    assert labels(tmp_path / "out") == {
        "train/cat/a.png": "cat",
        "train/dog/b/c.png": None,
        "train/dog/e.png": "dog",
        "val/cat/d.png": None,
    }
    run_ingest("source", tmp_path / "deep", labels="**/{label}/**")
    assert labels(tmp_path / "deep")["train/dog/b/c.png"] is not None
    assert read_dataset_info(tmp_path / "out").labels_from == "train/{label}/*"


def test_a_pattern_may_take_part_of_a_name(tmp_path: Path, write_image: Write, run_ingest: RunIngest) -> None:
    write_image(tmp_path / "source/cat_1_2.png")
    run_ingest("source", tmp_path / "out", labels="{label}_*.png")
    assert labels(tmp_path / "out") == {"cat_1_2.png": "cat"}


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("train/{label}/*", UserError, r"matches none of 3 names such as 'cat/0.png'"),
        ("missing.csv", UserError, r"missing.csv cannot be read: No such file"),
        ("folders", ConfigError, r"must be auto, none, a .csv, .parquet or .* got 'folders'"),
        ("{label}/{label}", ConfigError, r"must have \{label\} once"),
        ("bad.csv", UserError, r"bad.csv needs the columns filename,label, it has: name,class"),
        ("two.csv", UserError, r"gives 'cat/0.png' two labels: 'a' and 'b'"),
        ("latin.csv", UserError, r"latin.csv is no CSV file in UTF-8"),
    ],
)
def test_bad_label_settings_are_one_line_errors(
    setting: str, error: type[Exception], message: str, folders: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    (folders / "bad.csv").write_text("name,class\n", encoding="utf-8")
    (folders / "two.csv").write_text("filename,label\ncat/0.png,a\ncat/0.png,b\n", encoding="utf-8")
    (folders / "latin.csv").write_bytes(b"filename,label\ncaf\xe9.png,a\n")
    with pytest.raises(error, match=message) as caught:
        run_ingest("source", tmp_path / "out", labels=setting)
    assert "\n" not in str(caught.value)


def test_held_out_labels_are_hidden(folders: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (folders / "heldout.csv").write_text("filename,label\ncat/1.png,cat\n", encoding="utf-8")
    report = run_ingest("source", tmp_path / "out")
    assert labels(tmp_path / "out") == {"cat/0.png": "cat", "cat/1.png": None, "dog/2.png": "dog"}
    manifest = read_manifest(tmp_path / "out").set_index("filename")
    heldout = pq.read_table(tmp_path / "out/heldout.parquet").to_pylist()
    assert heldout == [{"sample_id": manifest.loc["cat/1.png", "sample_id"], "label": "cat"}]
    assert "1 labels held out" in report.summary
    assert report.figures["num_ignored"] == 1


def test_without_held_out_labels_there_is_no_such_file(
    folders: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest("source", tmp_path / "out")
    assert not (tmp_path / "out/heldout.parquet").exists()


def test_one_content_in_two_classes_is_one_sample_and_is_told(
    folders: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    (folders / "dog/copy.png").write_bytes((folders / "cat/0.png").read_bytes())
    report = run_ingest("source", tmp_path / "out")
    row = read_manifest(tmp_path / "out").set_index("filename").loc["cat/0.png"]
    assert (row["label"], list(row["duplicates"])) == ("cat", ["dog/copy.png"])
    assert "1 images lie under several labels" in report.summary


def test_a_label_of_any_of_its_names_counts(folders: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (folders / "dog/copy.png").write_bytes((folders / "cat/0.png").read_bytes())
    (folders / "labels.csv").write_text("filename,label\ndog/copy.png,poodle\n", encoding="utf-8")
    run_ingest("source", tmp_path / "out")
    assert labels(tmp_path / "out")["cat/0.png"] == "poodle"
