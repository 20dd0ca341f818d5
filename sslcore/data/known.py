"""What the dataset before has stored already, so that it is neither decoded nor written again."""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.manifest import MANIFEST_SCHEMA, all_columns, read_dataset_info
from sslcore.data.samples import Sample
from sslcore.data.store import ShardReader
from sslcore.errors import UserError

__all__ = ["VIDEOS_FILE", "Known", "TakenFrames", "write_taken_frames"]

log = logging.getLogger(__name__)

VIDEOS_FILE = "videos.parquet"
VIDEOS_SCHEMA = pa.schema(
    [
        ("sha256", pa.string()),
        ("frames", pa.string()),
        ("num_frames", pa.int64()),
        ("taken", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True, slots=True)
class TakenFrames:
    """Which frames of a whole video were taken.

    Attributes:
        sha256: Of the video.
        frames: The rule they were taken by.
        num_frames: Frames the video has.
        taken: Indices of those taken.
    """

    sha256: str
    frames: str
    num_frames: int
    taken: tuple[int, ...]


def write_taken_frames(videos: list[TakenFrames], path: Path) -> None:
    """Write videos.parquet, sorted by sha256."""
    rows = [
        {
            "sha256": each.sha256,
            "frames": each.frames,
            "num_frames": each.num_frames,
            "taken": list(each.taken),
        }
        for each in sorted(videos, key=lambda each: each.sha256)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=VIDEOS_SCHEMA), path)


class Known:
    """The samples of the dataset before, those that were removed from it too.

    Args:
        dataset: The dataset before; ``None`` or a folder that is no such dataset: nothing is known.
        store: How samples are to be stored; of a dataset that stores them otherwise, nothing is known.
    """

    def __init__(self, dataset: Path | None, store: StoreFormat = ORIGINAL) -> None:
        self._folder = dataset
        self._rows: pa.Table = MANIFEST_SCHEMA.empty_table()
        self._videos: dict[tuple[str, str], TakenFrames] = {}
        self.shards: list[str] = []
        if dataset is not None and dataset.is_dir():
            self._load(dataset, store)
        columns = (
            "sample_id",
            "sha256",
            "kind",
            "width",
            "height",
            "frame_index",
            "time_seconds",
            "shard",
            "row",
            "num_bytes",
            "sharpness",
            "brightness",
            "contrast",
            "phash",
        )
        self._columns: dict[str, list[Any]] = {name: self._rows.column(name).to_pylist() for name in columns}
        self._places = {sample_id: place for place, sample_id in enumerate(self._columns["sample_id"])}

    def _load(self, dataset: Path, store: StoreFormat) -> None:
        try:
            before = dict(read_dataset_info(dataset).store)
            if before != store.described():
                log.info(
                    "%s is written anew: it has store %s, ingest.store is now %s", dataset, before, store
                )
                return
            tables = [pq.read_table(dataset / f"{name}.parquet") for name in ("manifest", "removed")]
            rows = pa.concat_tables([all_columns(table) for table in tables])
            videos = dataset / VIDEOS_FILE
            taken = pq.read_table(videos).to_pylist() if videos.is_file() else []
        except (UserError, OSError, pa.ArrowException) as error:
            log.warning("%s is not taken over, everything is read anew: %s", dataset, error)
            return
        whole = self._whole_shards(dataset, rows)
        keep = [name in whole for name in rows.column("shard").to_pylist()]
        if not all(keep):
            log.warning(
                "%d samples of %s lie in damaged shards and are read anew", keep.count(False), dataset
            )
            rows = rows.filter(pa.array(keep, pa.bool_()))
        self._rows, self.shards = rows, sorted(whole)
        for row in taken:
            record = TakenFrames(**{**row, "taken": tuple(row["taken"])})
            self._videos[record.sha256, record.frames] = record

    @staticmethod
    def _whole_shards(dataset: Path, rows: pa.Table) -> set[str]:
        needed: dict[str, int] = {}
        for name, row in zip(rows.column("shard").to_pylist(), rows.column("row").to_pylist(), strict=True):
            needed[name] = max(needed.get(name, 0), row + 1)
        whole = set()
        for name, num_rows in needed.items():
            try:
                if ShardReader(dataset / "shards" / name).num_rows >= num_rows:
                    whole.add(name)
            except (OSError, pa.ArrowException) as error:
                log.warning("shard %s cannot be read: %s", name, error)
        return whole

    def __len__(self) -> int:
        return len(self._places)

    def link_shards(self, folder: Path) -> None:
        """Hard-link the shards into a folder, or copy them where links are not possible."""
        for name in self.shards:
            assert self._folder is not None
            source, target = (self._folder / "shards" / name).resolve(), folder / name
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)

    def sample(self, sample_id: str) -> Sample | None:
        """Return a sample with its place in the store."""
        place = self._places.get(sample_id)
        if place is None:
            return None
        return Sample(**{name: values[place] for name, values in self._columns.items()})

    def image(self, sha256: str) -> Sample | None:
        """Return the sample of an image with this content."""
        sample = self.sample(sha256[:20])
        return sample if sample is not None and (sample.kind, sample.sha256) == ("image", sha256) else None

    def video(self, sha256: str, frames: str) -> tuple[TakenFrames, list[Sample]] | None:
        """Return the frames of a video that were taken by this very rule, if all of them are stored."""
        record = self._videos.get((sha256, frames))
        if record is None:
            return None
        found = [self.sample(Sample.frame_id(sha256, index)) for index in record.taken]
        samples = [sample for sample in found if sample is not None]
        return (record, samples) if len(samples) == len(record.taken) else None

    def rows_without(self, present: set[str]) -> list[dict[str, Any]]:
        """Return the rows of samples that are not among ``present`` any more."""
        keep = [sample_id not in present for sample_id in self._columns["sample_id"]]
        rows: list[dict[str, Any]] = self._rows.filter(pa.array(keep, pa.bool_())).to_pylist()
        return rows
