"""Shards: written once, read by row."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from sslcore.data import store
from sslcore.data.store import ShardReader, ShardWriter


def write(folder: Path, items: list[tuple[str, bytes]], shard_bytes: int = 1 << 30) -> list[tuple[str, int]]:
    folder.mkdir(exist_ok=True)
    writer = ShardWriter(folder, shard_bytes=shard_bytes)
    places = [writer.add(name, data) for name, data in items]
    writer.close()
    return [(str(shard.name), row) for shard, row in places]


ITEMS = [(f"id{number}", bytes([number]) * (number * 7 % 23)) for number in range(50)]


@pytest.mark.parametrize(("rows", "num_bytes"), [(4096, 1 << 23), (7, 1 << 23), (4096, 30), (1, 1)])
def test_rows_are_read_back_whatever_the_batches(
    rows: int, num_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH_ROWS", rows)
    monkeypatch.setattr(store, "BATCH_BYTES", num_bytes)
    places = write(tmp_path / "shards", ITEMS)
    reader = ShardReader(tmp_path / "shards" / places[0][0])
    assert reader.num_rows == 50
    assert [reader.encoded(row) for _, row in reversed(places)] == [data for _, data in reversed(ITEMS)]


def test_a_shard_closes_when_it_is_full(tmp_path: Path) -> None:
    places = write(tmp_path / "shards", [(f"{number}", bytes(40)) for number in range(5)], shard_bytes=80)
    assert [row for _, row in places] == [0, 1, 0, 1, 0]
    assert len({name for name, _ in places[:2]}) == 1


def test_a_shard_is_named_by_its_content(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"a:2:xyb:1:z").hexdigest()
    assert write(tmp_path / "shards", [("a", b"xy"), ("b", b"z")])[0][0] == f"{digest[:8]}.arrow"


def test_a_taken_name_is_never_written_over(tmp_path: Path) -> None:
    first = write(tmp_path / "shards", [("a", b"xy")])[0][0]
    second = write(tmp_path / "shards", [("a", b"xy")])[0][0]
    assert second.startswith(first.removesuffix(".arrow"))
    assert len(Path(second).stem) == 9


def test_nothing_added_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "shards", [])
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_cut_shard_cannot_be_opened(tmp_path: Path) -> None:
    name = write(tmp_path / "shards", ITEMS)[0][0]
    path = tmp_path / "shards" / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises((pa.ArrowException, OSError)):
        ShardReader(path)
