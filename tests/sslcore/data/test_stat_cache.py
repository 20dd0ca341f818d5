"""Unchanged files are not read again, changed ones are; what is written does not depend on it."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sslcore.data import ingest as ingest_module
from sslcore.data import read_manifest, stat_cache, take_over
from sslcore.data.examine import hash_file
from sslcore.data.listing import list_source
from sslcore.data.stat_cache import StatCache

Write = Callable[..., Path]
RunIngest = Callable[..., object]
TreeBytes = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def source(tmp_path: Path, write_image: Write) -> Path:
    for seed in range(6):
        old(write_image(tmp_path / f"source/{seed}.png", seed))
    return tmp_path / "source"


def old(path: Path, seconds: int = 1_600_000_000) -> Path:
    os.utime(path, (seconds, seconds))
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def spy(path: Path) -> str:
        names.append(path.name)
        return hash_file(path)

    monkeypatch.setattr(take_over, "hash_file", spy)
    return names


@pytest.fixture
def run(tmp_path: Path, source: Path) -> Callable[..., Path]:
    from sslcore.config import IngestConfig

    def ingested(name: str, previous: str | None = None, *, cached: bool = True) -> Path:
        (tmp_path / name).mkdir()
        ingest_module.ingest(
            IngestConfig(source=str(source)),
            output=tmp_path / name,
            previous=tmp_path / previous if previous else None,
            stat_cache=tmp_path / "state/digests.arrow" if cached else None,
        )
        return tmp_path / name

    return ingested


def test_unchanged_files_are_not_read_again(
    run: Callable[..., Path], source: Path, write_image: Write, hashed: list[str], tree_bytes: TreeBytes
) -> None:
    run("one")
    old(write_image(source / "new.png", 9))
    two = run("two", "one")
    assert hashed == ["new.png"]
    hashed.clear()
    assert tree_bytes(run("three", "one", cached=False)) == tree_bytes(two)
    assert len(hashed) == 7
    hashed.clear()
    run("four", "two")
    assert hashed == []


def test_a_changed_file_is_read_again(
    run: Callable[..., Path], source: Path, write_image: Write, hashed: list[str]
) -> None:
    run("one")
    size = (source / "0.png").stat().st_size
    (source / "0.png").write_bytes((source / "0.png").read_bytes()[:-1] + b"x")  # as long, and just now
    os.replace(old(write_image(source / "swap.tmp", 50)), source / "1.png")  # another inode, the same time
    old(source / "2.png", 1_600_000_001)
    assert (source / "0.png").stat().st_size == size
    two = run("two", "one")
    assert sorted(hashed) == ["0.png", "1.png", "2.png"]
    digests = dict(zip(*(read_manifest(two)[name] for name in ("filename", "sha256")), strict=True))
    assert digests["1.png"] == hash_file(source / "1.png")


def test_a_file_changed_just_now_is_not_remembered(tmp_path: Path, source: Path) -> None:
    os.utime(source / "3.png")
    files = list_source(str(source), tmp_path).files
    digests = np.array([list(bytes.fromhex(hash_file(Path(file.path)))) for file in files], dtype=np.uint8)
    StatCache(tmp_path / "cache", files).save(digests, np.arange(6) != 4)
    again = StatCache(tmp_path / "cache", files)
    assert again.num_found == 4
    assert again.is_known.tolist() == [True, True, True, False, False, True]
    assert np.array_equal(again.digests[again.is_known], digests[again.is_known])


def test_a_damaged_or_unwritable_cache_is_said(
    tmp_path: Path, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = list_source(str(source), tmp_path).files
    (tmp_path / "cache").write_bytes(b"damaged")
    assert StatCache(tmp_path / "cache", files).num_found == 0
    assert "cannot be read" in caplog.text
    StatCache(tmp_path / "cache/below", files).save(np.zeros((6, 32), np.uint8), np.zeros(6, np.bool_))
    assert "cannot be written" in caplog.text
    assert StatCache(None, files).num_found == 0


@pytest.mark.parametrize("at_once", [1, 3, 7, 100])
def test_paths_are_found_wherever_they_stand(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat_cache, "AT_ONCE", at_once)
    chance = random.Random(at_once)
    for _ in range(30):
        now, before = (chance.sample([b"%d" % number for number in range(40)], 25) for _ in range(2))
        found = stat_cache._places(pa.array(now, pa.large_binary()), pa.array(before, pa.binary()))
        assert found.tolist() == [before.index(path) if path in before else -1 for path in now]
    nothing = pa.array([], pa.binary())
    assert stat_cache._places(pa.array([b"a"], pa.large_binary()), nothing).tolist() == [-1]
    assert stat_cache._places(nothing, pa.array([b"a"])).tolist() == []
