"""Ingesting again: only what is new is decoded and written, and what is there stays where it is."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sslcore.data import pool, read_dataset_info, read_manifest
from sslcore.data.examine import Finding, examine_file
from sslcore.data.listing import SourceFile

Write = Callable[..., Path]
RunIngest = Callable[..., object]
TreeBytes = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def source(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    folder = tmp_path / "source"
    for seed in range(4):
        write_image(folder / f"{seed}.png", seed)
    write_video(folder / "clip.mp4", num_frames=20)
    (folder / "bad.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are decoded."""
    names: list[str] = []
    examine = examine_file

    def spy(file: SourceFile, **how: object) -> Finding:
        names.append(file.name)
        return examine(file, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "examine_file", spy)
    return names


def places(dataset: Path) -> dict[str, tuple[str, str, int]]:
    rows = read_manifest(dataset).to_dict("records")
    return {row["filename"]: (row["sample_id"], row["shard"], row["row"]) for row in rows}


def test_the_same_source_gives_the_same_bytes(
    source: Path, tmp_path: Path, run_ingest: RunIngest, tree_bytes: TreeBytes
) -> None:
    run_ingest(source, tmp_path / "one")
    run_ingest(source, tmp_path / "fresh")
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    assert tree_bytes(tmp_path / "one") == tree_bytes(tmp_path / "fresh") == tree_bytes(tmp_path / "two")


def test_only_new_files_are_decoded_and_bad_ones_tried_again(
    source: Path, tmp_path: Path, run_ingest: RunIngest, write_image: Write, examined: list[str]
) -> None:
    run_ingest(source, tmp_path / "one")
    write_image(source / "new/9.png", 9)
    examined.clear()
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    assert sorted(examined) == ["bad.jpg", "new/9.png"]


def test_known_samples_keep_their_place_and_new_ones_get_a_new_shard(
    source: Path, tmp_path: Path, run_ingest: RunIngest, write_image: Write
) -> None:
    run_ingest(source, tmp_path / "one")
    write_image(source / "0 first.png", 9)
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    before, after = places(tmp_path / "one"), places(tmp_path / "two")
    assert {name: after[name] for name in before} == before
    old = {path.name: path for path in (tmp_path / "one/shards").iterdir()}
    new = {path.name for path in (tmp_path / "two/shards").iterdir()} - set(old)
    assert new == {after["0 first.png"][1]}
    assert all((tmp_path / "two/shards" / name).samefile(path) for name, path in old.items())  # linked


def test_a_renamed_file_is_not_decoded_again(
    source: Path, tmp_path: Path, run_ingest: RunIngest, examined: list[str]
) -> None:
    run_ingest(source, tmp_path / "one")
    (source / "0.png").rename(source / "zero.png")
    (source / "clip.mp4").rename(source / "film.mp4")
    examined.clear()
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    assert examined == ["bad.jpg"]
    assert places(tmp_path / "two")["zero.png"] == places(tmp_path / "one")["0.png"]
    assert places(tmp_path / "two")["film-10-mp4.png"] == places(tmp_path / "one")["clip-10-mp4.png"]


def test_removed_files_are_noted_and_come_back_to_their_place(
    source: Path, tmp_path: Path, run_ingest: RunIngest, tree_bytes: TreeBytes
) -> None:
    run_ingest(source, tmp_path / "one")
    data = (source / "1.png").read_bytes()
    (source / "1.png").unlink()
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    removed = pq.read_table(tmp_path / "two/removed.parquet")
    assert removed.column_names == pq.read_table(tmp_path / "two/manifest.parquet").column_names
    assert removed.column("filename").to_pylist() == ["1.png"]
    assert read_dataset_info(tmp_path / "two").num_removed == 1
    run_ingest(source, tmp_path / "three", tmp_path / "two")
    assert tree_bytes(tmp_path / "two") == tree_bytes(tmp_path / "three")
    (source / "1.png").write_bytes(data)
    run_ingest(source, tmp_path / "four", tmp_path / "three")
    assert tree_bytes(tmp_path / "one") == tree_bytes(tmp_path / "four")


def test_a_file_that_becomes_broken_goes_to_quarantine(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest(source, tmp_path / "one")
    (source / "2.png").write_bytes((source / "2.png").read_bytes()[:200])
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    quarantine = pq.read_table(tmp_path / "two/quarantine.parquet").to_pylist()
    assert [(row["path"], row["reason"]) for row in quarantine] == [
        ("2.png", "truncated"),
        ("bad.jpg", "zero_bytes"),
    ]
    assert pq.read_table(tmp_path / "two/removed.parquet").column("filename").to_pylist() == ["2.png"]


def test_a_changed_frames_rule_samples_videos_again_and_keeps_common_frames(
    source: Path, tmp_path: Path, run_ingest: RunIngest, examined: list[str]
) -> None:
    run_ingest(source, tmp_path / "one", frames="every 4")
    examined.clear()
    run_ingest(source, tmp_path / "two", tmp_path / "one", frames="every 6")
    assert sorted(examined) == ["bad.jpg", "clip.mp4"]
    frames = read_manifest(tmp_path / "two").dropna(subset="video")
    assert frames["frame_index"].tolist() == [0, 6, 12, 18]
    before, after = places(tmp_path / "one"), places(tmp_path / "two")
    assert after["clip-12-mp4.png"] == before["clip-12-mp4.png"]
    assert after["clip-06-mp4.png"][1] not in {shard for _, shard, _ in before.values()}
    removed = pq.read_table(tmp_path / "two/removed.parquet").column("filename").to_pylist()
    assert removed == ["clip-04-mp4.png", "clip-08-mp4.png", "clip-16-mp4.png"]


def test_changed_labels_and_splits_are_honoured(
    tmp_path: Path, write_image: Write, run_ingest: RunIngest, examined: list[str]
) -> None:
    for seed in range(4):
        write_image(tmp_path / f"source/{'ab'[seed % 2]}/{seed}.png", seed)
    run_ingest("source", tmp_path / "one")
    examined.clear()
    run_ingest(
        "source", tmp_path / "two", tmp_path / "one", labels="none", val_fraction=0.0, test_fraction=0.0
    )
    assert examined == []
    assert read_manifest(tmp_path / "one")["label"].tolist() == ["a", "a", "b", "b"]
    assert read_manifest(tmp_path / "two")["label"].isna().all()
    assert set(read_manifest(tmp_path / "two")["split"]) == {"train"}


def test_changed_limits_are_honoured(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(source, tmp_path / "one")
    run_ingest(source, tmp_path / "two", tmp_path / "one", min_side=20)  # the images are 24 x 16
    assert set(read_manifest(tmp_path / "two")["kind"]) == {"frame"}
    assert pq.read_table(tmp_path / "two/quarantine.parquet").column("reason").to_pylist() == (
        ["too_small"] * 4 + ["zero_bytes"]
    )


def test_a_damaged_dataset_before_is_read_anew(
    source: Path, tmp_path: Path, run_ingest: RunIngest, tree_bytes: TreeBytes
) -> None:
    run_ingest(source, tmp_path / "one")
    whole = tree_bytes(tmp_path / "one")
    shard = next((tmp_path / "one/shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:500])
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    (tmp_path / "one/manifest.parquet").write_bytes(b"no table")
    run_ingest(source, tmp_path / "three", tmp_path / "one")
    assert whole == tree_bytes(tmp_path / "two") == tree_bytes(tmp_path / "three")


def test_an_empty_folder_before_is_nothing(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (tmp_path / "before").mkdir()
    run_ingest(source, tmp_path / "one", tmp_path / "before")
    run_ingest(source, tmp_path / "two", tmp_path / "missing")
    assert len(read_manifest(tmp_path / "one")) == len(read_manifest(tmp_path / "two")) == 6
