"""Ingesting in random steps ends where ingesting at once does, in every file that is written.

The oracle is an ingestion of the same folder from nothing: all but the places of samples must be equal.
Those, and what was removed, are kept track of in plain dictionaries.
"""

import csv
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sslcore.config import IngestConfig
from sslcore.data.ingest import ingest
from sslcore.data.store import ShardReader

Write = Callable[..., Path]
Rows = list[dict[str, Any]]

PLACES = ("shard", "row")
SETTINGS: list[dict[str, Any]] = [
    {},
    {"labels": "none", "val_fraction": 0.3},
    {"frames": "every 4"},
    {"labels": "**/{label}/*", "test_fraction": 0.0},
    {"min_side": 17},
    {"metadata": "none", "max_megapixels": 0.00039},
    {"frames": "keyframes", "labels": "table.csv"},
]


class World:
    """A folder that changes at random: few contents and few names, so that they meet often."""

    def __init__(self, folder: Path, seed: int, write_image: Write, write_video: Write) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        pool = folder.parent / "pool"
        self.contents = [write_image(pool / f"{n}.png", n, width=24 - n % 2) for n in range(10)]
        self.contents += [  # what looks like another
            write_image(pool / f"{n}.jpg", n % 10, format="JPEG", quality=60 + n) for n in range(10, 18)
        ]
        self.contents += [write_image(pool / f"narrow{n}.png", n, width=15) for n in range(2)]
        broken = pool / "broken.png"
        broken.write_bytes((pool / "0.png").read_bytes()[:99])
        self.contents.append(broken)
        self.films = [write_video(pool / f"{n}.mp4", num_frames=9 + n, seed=n) for n in range(3)]
        cut = write_video(pool / "cut.mkv", num_frames=20, seed=9)
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
        self.films.append(cut)
        folder.mkdir()

    def change(self) -> None:
        """Add, replace, rename and remove files; write the tables anew."""
        for _ in range(self.random.randint(1, 6)):
            there = self.files()
            act = self.random.choice(["add", "add", "film", "remove", "rename"])
            if act == "add" or len(there) < 4:
                self._copy(self.random.choice(self.contents))
            elif act == "film":
                self._copy(self.random.choice(self.films))
            elif act == "remove":
                self.random.choice(there).unlink()
            else:
                file = self.random.choice(there)
                file.rename(self._place(file.suffix))
        self._table("labels.csv", "label", 0.4)
        self._table("heldout.csv", "label", 0.3)
        self._table("metadata.csv", "camera", 0.7)
        shutil.copyfile(self.folder / "heldout.csv", self.folder / "table.csv")

    def files(self) -> list[Path]:
        return sorted(each for each in self.folder.rglob("*") if each.is_file() and each.suffix != ".csv")

    def _copy(self, content: Path) -> None:
        shutil.copyfile(content, self._place(content.suffix))

    def _place(self, suffix: str) -> Path:
        folder = self.folder / self.random.choice(["a", "b", "é"])
        folder.mkdir(exist_ok=True)
        return folder / f"{self.random.randrange(16)}{suffix}"

    def _table(self, name: str, column: str, chance: float) -> None:
        if self.random.random() > chance:
            (self.folder / name).unlink(missing_ok=True)
            if name != "heldout.csv":
                return
        names = [str(each.relative_to(self.folder)) for each in self.files()]
        names = sorted({*self.random.sample(names, len(names) // 2), "a/nowhere.png", "a/0-0-mp4.png"})
        with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["filename", column])
            table.writerows([name, f"{column} {self.random.randrange(3)}"] for name in names)


def rows_of(path: Path, *, without: tuple[str, ...] = ()) -> Rows:
    rows: Rows = pq.read_table(path).to_pylist() if path.is_file() else []
    return [{name: value for name, value in row.items() if name not in without} for row in rows]


def in_the_manifest(row: dict[str, Any]) -> tuple[str, int, str]:
    frame = row["frame_index"]
    return row["filename"], -1 if frame is None else frame, row["sample_id"]


def stored(dataset: Path, rows: Rows) -> dict[str, bytes]:
    shards = {row["shard"]: ShardReader(dataset / "shards" / row["shard"]) for row in rows}
    return {row["sample_id"]: shards[row["shard"]].encoded(row["row"]) for row in rows}


def same_but_for_places(dataset: Path, fresh: Path) -> None:
    assert rows_of(dataset / "manifest.parquet", without=PLACES) == rows_of(
        fresh / "manifest.parquet", without=PLACES
    )
    for name in ("quarantine.parquet", "heldout.parquet", "metadata.parquet", "videos.parquet"):
        ours, theirs = (folder / name for folder in (dataset, fresh))
        assert ours.is_file() is theirs.is_file(), name
        assert not ours.is_file() or ours.read_bytes() == theirs.read_bytes(), name
    info, expected = (json.loads((folder / "dataset.json").read_text()) for folder in (dataset, fresh))
    assert {**info, "num_removed": 0} == expected


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.filterwarnings("ignore")
def test_ingesting_in_steps_writes_what_ingesting_at_once_does(
    seed: int, tmp_path: Path, write_image: Write, write_video: Write
) -> None:
    world = World(tmp_path / "source", seed, write_image, write_video)
    last: dict[str, dict[str, Any]] = {}  # the last row of every sample that there ever was
    previous: Path | None = None
    for step in range(10):
        world.change()
        setting = world.random.choice(SETTINGS) if step % 3 == 2 else SETTINGS[0]
        config = IngestConfig(source="source", max_bad_fraction=1.0, **setting)
        now, fresh = tmp_path / f"{step}", tmp_path / f"fresh {step}"
        for output, before in ((now, previous), (fresh, None)):
            output.mkdir()
            cache = tmp_path / "cache" if before is not None and step % 2 else None
            ingest(config, output=output, previous=before, root=tmp_path, stat_cache=cache)
        same_but_for_places(now, fresh)
        rows = rows_of(now / "manifest.parquet")
        for row in rows:
            before_row = last.get(row["sample_id"])
            assert before_row is None or [row[name] for name in PLACES] == [
                before_row[name] for name in PLACES
            ]
        assert stored(now, rows) == stored(fresh, rows_of(fresh / "manifest.parquet"))
        present = {row["sample_id"] for row in rows}
        gone = [row for sample_id, row in last.items() if sample_id not in present]
        order = sorted(gone, key=in_the_manifest)
        assert rows_of(now / "removed.parquet") == order
        last |= {row["sample_id"]: row for row in rows}
        previous = now
