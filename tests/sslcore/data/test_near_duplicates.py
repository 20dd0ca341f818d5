"""Near-duplicates: the same as comparing all pairs, and marked in the manifest."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from sslcore.data import near_duplicates, read_manifest
from sslcore.data.near_duplicates import first_alike

Hashes = npt.NDArray[np.uint64]
Write = Callable[..., Path]
RunIngest = Callable[..., object]


def plain(hashes: Hashes, max_bits: int) -> list[int]:
    """Compare all pairs, in order."""
    found = [-1] * len(hashes)
    for place, kept in enumerate(hashes.tolist()):
        for later in range(place + 1, len(hashes)):
            alike = (kept ^ int(hashes[later])).bit_count() <= max_bits
            if found[place] < 0 and found[later] < 0 and alike:
                found[later] = place
    return found


def crowd(seed: int, num_hashes: int = 200, num_centres: int = 6) -> Hashes:
    """Hashes within five bits of a few centres."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, num_centres, dtype=np.uint64)[rng.integers(0, num_centres, num_hashes)]
    for _ in range(5):
        bits = np.uint64(1) << rng.integers(0, 64, num_hashes).astype(np.uint64)
        hashes = np.where(rng.random(num_hashes) < 0.5, hashes ^ bits, hashes)
    return hashes


@pytest.mark.parametrize("crowded_from", [2, 32])
@pytest.mark.parametrize("max_bits", [0, 1, 4, 5])
def test_the_first_alike_is_that_of_comparing_all_pairs(
    max_bits: int, crowded_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "_CROWD", crowded_from)
    for seed in range(4):
        hashes = crowd(seed)
        expected = plain(hashes, max_bits)
        assert first_alike(hashes, max_bits).tolist() == expected
        assert max_bits < 4 or 0 < sum(place >= 0 for place in expected) < len(expected)


def test_extreme_hashes() -> None:
    hashes = np.array([2**64 - 1, 0, 2**64 - 1, 7, 2**63], dtype=np.uint64)
    assert first_alike(hashes, 0).tolist() == [-1, -1, 0, -1, -1]
    assert first_alike(hashes, 3).tolist() == [-1, -1, 0, 1, 1]
    assert first_alike(np.array([], np.uint64)).tolist() == []


def test_a_chain_does_not_become_one_group() -> None:
    hashes = np.array([(1 << 3 * step) - 1 for step in range(5)], dtype=np.uint64)  # three more bits each
    assert first_alike(hashes, 4).tolist() == [-1, 0, -1, 2, -1]


def test_more_bits_than_the_blocks_find_are_refused() -> None:
    with pytest.raises(ValueError, match="max_bits must be from 0 to 5, got 6"):
        first_alike(crowd(0), 6)


def test_the_manifest_names_the_first_that_an_image_looks_like(
    tmp_path: Path, write_image: Write, run_ingest: RunIngest
) -> None:
    write_image(tmp_path / "source/a.png", 1, width=80, height=60)
    write_image(tmp_path / "source/b.jpg", 1, width=80, height=60, format="JPEG", quality=60)
    write_image(tmp_path / "source/c.png", 2, width=80, height=60)
    run_ingest("source", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    ids = manifest["sample_id"].tolist()
    assert manifest["near_duplicate_of"].fillna("").tolist() == ["", ids[0], ""]
    sizes = [(tmp_path / "source" / name).stat().st_size for name in ("a.png", "b.jpg", "c.png")]
    assert manifest["num_bytes"].tolist() == sizes


def test_a_dataset_of_an_older_version_reads_and_is_measured_when_ingested_again(
    tmp_path: Path, write_image: Write, write_video: Write, run_ingest: RunIngest
) -> None:
    write_image(tmp_path / "source/a.png", 1)
    write_video(tmp_path / "source/clip.mp4", num_frames=3)
    run_ingest("source", tmp_path / "one")
    measured = pq.read_table(tmp_path / "one/manifest.parquet")
    for name in ("manifest", "removed"):
        table = pq.read_table(tmp_path / f"one/{name}.parquet")
        pq.write_table(table.select(table.column_names[:15]), tmp_path / f"one/{name}.parquet")
    old = read_manifest(tmp_path / "one")
    assert old["phash"].isna().all()
    assert old["near_duplicate_of"].isna().all()
    run_ingest("source", tmp_path / "two", tmp_path / "one")
    assert pq.read_table(tmp_path / "two/manifest.parquet").equals(measured)
    old_shards = sorted(path.name for path in (tmp_path / "one/shards").iterdir())
    assert sorted(path.name for path in (tmp_path / "two/shards").iterdir()) == old_shards
    assert str(read_manifest(tmp_path / "two")["phash"].dtype) == "UInt64"
