"""Stores for training speed: JPEG and raw pixels."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms.functional import resize

from sslcore.data import read_dataset_info, read_manifest
from sslcore.data.decode import decode_image
from sslcore.data.encoding import StoreFormat
from sslcore.data.store import ShardReader, ShardWriter
from sslcore.errors import ConfigError

Write = Callable[..., Path]
RunIngest = Callable[..., object]
TreeBytes = Callable[[Path], dict[str, bytes]]
SIZES = [(40, 30), (30, 40), (16, 16), (20, 50), (90, 21)]


@pytest.fixture
def source(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    for seed, (width, height) in enumerate(SIZES):
        write_image(tmp_path / f"source/{seed}.png", seed, width=width, height=height)
    write_image(tmp_path / "source/small.jpg", 7, format="JPEG", width=18, height=19)
    write_image(tmp_path / "source/large.jpg", 8, format="JPEG", width=64, height=44)
    write_video(tmp_path / "source/clip.mp4", num_frames=3)
    return tmp_path / "source"


def stored(dataset: Path) -> dict[str, tuple[ShardReader, int]]:
    rows = read_manifest(dataset).to_dict("records")
    return {row["filename"]: (ShardReader(dataset / "shards" / row["shard"]), row["row"]) for row in rows}


def test_raw_pixels_are_those_of_a_plain_resize(
    source: Path, tmp_path: Path, run_ingest: RunIngest, plain_decode: Callable[[Path], list[np.ndarray]]
) -> None:
    run_ingest(source, tmp_path / "out", store={"format": "uint8", "short_side": 20}, frames="all")
    found = stored(tmp_path / "out")
    images = {path.name: Image.open(path).convert("RGB") for path in source.glob("*.[jp]*g")}
    for number, pixels in enumerate(plain_decode(source / "clip.mp4")):
        images[f"clip-{number}-mp4.png"] = Image.fromarray(pixels)
    assert found.keys() == images.keys()
    for name, image in images.items():
        reader, row = found[name]
        expected = resize(image, 20) if min(image.size) > 20 else image
        np.testing.assert_array_equal(reader.pixels(row).transpose(1, 2, 0), np.asarray(expected))


def test_raw_pixels_are_views_of_the_map(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(source, tmp_path / "out", store={"format": "uint8", "short_side": 20})
    reader, row = stored(tmp_path / "out")["0.png"]
    assert not reader.pixels(row).flags.owndata
    assert np.shares_memory(reader.pixels(row), reader.pixels(row))


def test_jpeg_is_encoded_again_only_where_it_is_larger(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest(source, tmp_path / "out", store={"format": "jpeg", "short_side": 20, "quality": 77})
    found = {name: reader.encoded(row) for name, (reader, row) in stored(tmp_path / "out").items()}
    assert found["small.jpg"] == (source / "small.jpg").read_bytes()
    for name, size in (("large.jpg", (29, 20)), ("1.png", (20, 26)), ("2.png", (16, 16))):
        image = Image.open(io.BytesIO(found[name]))
        assert (image.format, image.size) == ("JPEG", size)
        buffer = io.BytesIO()
        original = decode_image((source / name).read_bytes())
        smaller = original if original.size == size else resize(original, 20)
        smaller.save(buffer, "JPEG", quality=77)
        assert found[name] == buffer.getvalue()


def test_manifest_and_ids_do_not_depend_on_the_store(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest(source, tmp_path / "one")
    run_ingest(source, tmp_path / "two", store={"format": "uint8", "short_side": 20})
    columns = ["sample_id", "filename", "width", "height", "split"]
    one, two = read_manifest(tmp_path / "one"), read_manifest(tmp_path / "two")
    assert one[columns].equals(two[columns])
    assert read_dataset_info(tmp_path / "one").fingerprint == read_dataset_info(tmp_path / "two").fingerprint
    assert read_dataset_info(tmp_path / "two").store == {"format": "uint8", "short_side": 20}


def test_another_store_writes_anew_and_the_same_appends(
    source: Path, tmp_path: Path, run_ingest: RunIngest, write_image: Write, tree_bytes: TreeBytes
) -> None:
    raw = {"format": "uint8", "short_side": 20}
    run_ingest(source, tmp_path / "original")
    run_ingest(source, tmp_path / "fresh", store=raw)
    run_ingest(source, tmp_path / "changed", tmp_path / "original", store=raw)
    assert tree_bytes(tmp_path / "changed") == tree_bytes(tmp_path / "fresh")
    write_image(source / "new.png", 99)
    run_ingest(source, tmp_path / "appended", tmp_path / "changed", store={**raw, "quality": 50})
    before = set((tmp_path / "changed/shards").iterdir())
    assert len(list((tmp_path / "appended/shards").iterdir())) == len(before) + 1
    assert all((tmp_path / "appended/shards" / path.name).samefile(path) for path in before)


@pytest.mark.parametrize("format", ["jpeg", "uint8"])
def test_the_bytes_do_not_depend_on_workers(
    format: str,
    source: Path,
    tmp_path: Path,
    run_ingest: RunIngest,
    tree_bytes: TreeBytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sslcore.data import pool

    run_ingest(source, tmp_path / "one", store={"format": format, "short_side": 20}, num_workers=1)
    monkeypatch.setattr(pool, "JOB_FILES", 2)
    run_ingest(source, tmp_path / "two", store={"format": format, "short_side": 20}, num_workers=2)
    assert tree_bytes(tmp_path / "one") == tree_bytes(tmp_path / "two")


def test_a_gather_cuts_centres_and_says_what_is_left(tmp_path: Path) -> None:
    store = StoreFormat("uint8", 8)
    writer = ShardWriter(tmp_path, shard_bytes=1 << 30, store=store)
    sizes = [(8, 8), (8, 13), (11, 8), (5, 5), (8, 8)]
    images = [
        np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        for number, (width, height) in enumerate(sizes)
    ]
    for number, image in enumerate(images):
        writer.add(f"{number}", store.encode(Image.fromarray(image)), sizes[number])
    writer.close()
    out = np.zeros((6, 3, 8, 8), dtype=np.uint8)
    reader = ShardReader(next(tmp_path.iterdir()))
    left = reader.gather(np.array([4, 3, 2, 1, 0]), out, np.array([5, 1, 2, 3, 4]))
    assert left.tolist() == [1]
    expected = {5: images[4], 2: images[2][:, 2:10], 3: images[1][2:10], 4: images[0]}
    for place, image in expected.items():
        np.testing.assert_array_equal(out[place].transpose(1, 2, 0), image)


def test_an_unknown_format_in_dataset_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="store format must be one of jpeg, original, uint8, got 'unit8'"):
        StoreFormat.from_description({"format": "unit8"})
