"""What ingest writes: the formats that every other stage reads."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sslcore.config import IngestConfig
from sslcore.data import SampleDataset, read_dataset_info, read_manifest
from sslcore.data.decode import decode_image
from sslcore.data.frame_names import frame_filename
from sslcore.data.ingest import ingest
from sslcore.errors import UserError

Write = Callable[..., Path]
RunIngest = Callable[..., object]
COLUMNS = (
    "sample_id filename source kind sha256 width height label split video frame_index time_seconds shard row"
).split()
MEASURES = ["num_bytes", "sharpness", "brightness", "contrast", "phash"]


@pytest.fixture
def mixed(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    """Images at two depths, one of them twice, and two videos."""
    source = tmp_path / "source"
    write_image(source / "b.png", 1, width=30, height=20)
    write_image(source / "deep/er/a.jpg", 2, format="JPEG")
    write_image(source / "deep/z.png", 3)
    write_image(source / "copy of z.png", 3)
    write_video(source / "clips/walk.mp4", num_frames=12, rate=4)
    write_video(source / "run.MKV", num_frames=100, rate=50, seed=1)
    (source / "README.md").write_text("about", encoding="utf-8")
    return source


def test_manifest_has_the_columns_in_order_and_is_sorted(
    mixed: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest(mixed, tmp_path / "out")
    table = pq.read_table(tmp_path / "out/manifest.parquet")
    assert table.column_names == [*COLUMNS, "duplicates", *MEASURES, "near_duplicate_of"]
    assert table.column("filename").to_pylist() == [
        "b.png",
        *(f"clips/walk-{index:02d}-mp4.png" for index in (0, 4, 8)),
        "copy of z.png",
        "deep/er/a.jpg",
        *(f"run-{index:03d}-MKV.png" for index in (0, 50)),
    ]
    assert table.column("duplicates").to_pylist()[4] == ["deep/z.png"]


def test_an_image_is_known_by_its_bytes(mixed: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(mixed, tmp_path / "out")
    row = read_manifest(tmp_path / "out").set_index("filename").loc["b.png"]
    digest = hashlib.sha256((mixed / "b.png").read_bytes()).hexdigest()
    assert (row["sha256"], row["sample_id"], row["kind"]) == (digest, digest[:20], "image")
    assert (row["width"], row["height"], row["source"]) == (30, 20, str(mixed))


def test_a_frame_is_known_by_its_video_and_index(mixed: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(mixed, tmp_path / "out")
    row = read_manifest(tmp_path / "out").set_index("filename").loc["clips/walk-04-mp4.png"]
    video = hashlib.sha256((mixed / "clips/walk.mp4").read_bytes()).hexdigest()
    assert row["sample_id"] == hashlib.sha256(f"{video}:4".encode()).hexdigest()[:20]
    assert (row["kind"], row["video"], row["frame_index"], row["time_seconds"]) == (
        "frame",
        "clips/walk.mp4",
        4,
        1.0,
    )


def test_the_store_has_the_bytes_as_they_were(mixed: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(mixed, tmp_path / "out")
    for row in read_manifest(tmp_path / "out").to_dict("records"):
        shard = pa.ipc.open_file(str(tmp_path / "out/shards" / row["shard"])).read_all()
        assert shard.schema.names == ["sample_id", "data"]
        assert shard.schema.field("data").type == pa.large_binary()
        assert shard.column("sample_id")[row["row"]].as_py() == row["sample_id"]
        data = shard.column("data")[row["row"]].as_py()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        if row["kind"] == "image":
            assert data == (mixed / row["filename"]).read_bytes()


def test_stored_frames_are_those_of_a_plain_decode(
    mixed: Path,
    tmp_path: Path,
    run_ingest: RunIngest,
    plain_decode: Callable[[Path], list[npt.NDArray[np.uint8]]],
) -> None:
    run_ingest(mixed, tmp_path / "out", frames="every 5")
    dataset = SampleDataset(tmp_path / "out")
    frames = dataset.manifest[dataset.manifest["kind"] == "frame"]
    assert len(frames) == 3 + 20
    for index, row in frames.iterrows():
        expected = plain_decode(mixed / str(row["video"]))[int(row["frame_index"])]
        np.testing.assert_array_equal(np.asarray(decode_image(dataset.encoded(int(str(index))))), expected)


def test_dataset_json_counts_everything(mixed: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(mixed, tmp_path / "out")
    content = json.loads((tmp_path / "out/dataset.json").read_text(encoding="utf-8"))
    rows = pq.read_table(tmp_path / "out/manifest.parquet").to_pylist()
    digest = hashlib.sha256()
    for line in sorted(f"{row['sample_id']}\t\t{row['split']}\n" for row in rows):
        digest.update(line.encode())
    splits = [row["split"] for row in rows]
    assert content == {
        "schema_version": 1,
        "fingerprint": digest.hexdigest(),
        "num_samples": 8,
        "num_images": 3,
        "num_frames": 5,
        "num_labelled": 0,
        "num_classes": 0,
        "classes": [],
        "num_quarantined": 0,
        "num_ignored": 1,
        "num_duplicates": 1,
        "num_removed": 0,
        "splits": {split: splits.count(split) for split in ("train", "val", "test")},
        "labels_from": "none",
        "source": str(mixed),
        "num_near_duplicates": 0,
        "store": {"format": "original"},
    }
    assert read_dataset_info(tmp_path / "out").fingerprint == content["fingerprint"]


def test_frames_of_a_video_are_in_one_split(
    tmp_path: Path, write_video: Write, run_ingest: RunIngest
) -> None:
    for seed in range(6):
        write_video(tmp_path / f"source/{seed}.mp4", num_frames=8, seed=seed)
    run_ingest(tmp_path / "source", tmp_path / "out", frames="all", val_fraction=0.3, test_fraction=0.3)
    per_video = read_manifest(tmp_path / "out").groupby("video")["split"].nunique()
    assert per_video.tolist() == [1] * 6


def test_splits_have_about_the_shares_and_never_move(
    tmp_path: Path, write_image: Write, run_ingest: RunIngest
) -> None:
    for seed in range(150):
        write_image(tmp_path / f"source/{seed}.png", seed, width=8, height=8)
    run_ingest(tmp_path / "source", tmp_path / "all", val_fraction=0.2, test_fraction=0.3)
    for seed in range(100):
        (tmp_path / f"source/{seed}.png").unlink()
    run_ingest(tmp_path / "source", tmp_path / "few", val_fraction=0.2, test_fraction=0.3)
    everything, few = (
        read_manifest(tmp_path / name).set_index("sample_id")["split"] for name in ("all", "few")
    )
    assert everything.loc[few.index].tolist() == few.tolist()
    counts = everything.value_counts()
    assert 75 - 20 < counts["train"] < 75 + 20
    assert 45 - 18 < counts["test"] < 45 + 18
    assert 30 - 16 < counts["val"] < 30 + 16


def test_shards_are_closed_at_their_size(tmp_path: Path, write_image: Write, run_ingest: RunIngest) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "source").mkdir()
    for number in range(5):
        Image.fromarray(rng.integers(0, 256, (400, 400, 3), dtype=np.uint8)).save(
            tmp_path / f"source/{number}.bmp"
        )
    run_ingest(tmp_path / "source", tmp_path / "out", shard_megabytes=1)  # 0.48 MB each
    manifest = read_manifest(tmp_path / "out")
    assert manifest.groupby("shard").size().tolist() in ([3, 2], [2, 3])
    assert sorted(path.name for path in (tmp_path / "out/shards").iterdir()) == sorted(set(manifest["shard"]))
    assert all(len(Path(name).stem) == 8 for name in manifest["shard"])


@pytest.mark.parametrize(
    ("video", "index", "num_frames", "expected"),
    [
        ("sub/clip.mp4", 7, 100, "sub/clip-007-mp4.png"),
        ("clip.mp4", 7, 10, "clip-07-mp4.png"),
        ("a.b.MOV", 0, 9, "a.b-0-MOV.png"),
    ],
)
def test_frame_names(video: str, index: int, num_frames: int, expected: str) -> None:
    assert frame_filename(video, index, num_frames) == expected


def test_progress_is_told_per_file(mixed: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None, str]] = []

    class Recorder:
        def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
            calls.append((done, total, unit))

        def metrics(self, step: int, values: object) -> None:
            raise AssertionError("ingest has no steps")

    (tmp_path / "out").mkdir()
    ingest(IngestConfig(source=str(mixed)), output=tmp_path / "out", monitor=Recorder())
    assert calls == [(number, 6, "files") for number in range(1, 7)]


@pytest.mark.parametrize("names", [(), ("notes.txt", "data.json")])
def test_a_folder_without_media_says_what_is_accepted(names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "out").mkdir()
    for name in names:
        (tmp_path / "source" / name).write_text("x", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"'source' has no image and no video .*accepted are images: .*jpg"
    ) as caught:
        ingest(IngestConfig(source="source"), output=tmp_path / "out", root=tmp_path)
    assert "\n" not in str(caught.value)


def test_reading_a_missing_dataset_says_what_to_do(tmp_path: Path) -> None:
    for read in (read_manifest, read_dataset_info, SampleDataset):
        with pytest.raises(UserError, match="run the ingest stage first"):
            read(tmp_path)
