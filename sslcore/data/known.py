"""What the dataset before has stored already, so that it is neither decoded nor written again."""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sslcore.data.digests import DigestIndex, fixed_array, fixed_bytes, from_hex
from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.frame_names import frame_id
from sslcore.data.manifest import MANIFEST_SCHEMA, read_batches, read_dataset_info
from sslcore.data.old_marks import OldMarks
from sslcore.data.sample_columns import SAMPLE_SCHEMA
from sslcore.data.samples import VideoContent
from sslcore.data.store import ShardReader
from sslcore.errors import UserError

__all__ = ["VIDEOS_FILE", "Known", "TakenFrames", "write_taken_frames"]

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.int64]

VIDEOS_FILE = "videos.parquet"
FRAME_ID_BYTES = 10
COLUMNS = (*SAMPLE_SCHEMA.names, "filename", "near_duplicate_of")
_TABLES = ("manifest", "removed")
_COMPACT_SCHEMA = pa.schema([*SAMPLE_SCHEMA, ("filename", pa.string()), ("near_duplicate_of", pa.string())])
VIDEOS_SCHEMA = pa.schema(
    [
        ("sha256", pa.string()),
        ("frames", pa.string()),
        ("num_frames", pa.int64()),
        ("taken", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class TakenFrames:
    """Which frames of a whole video were taken.

    Attributes:
        sha256: Of the video.
        frames: The rule they were taken by.
        num_frames: Frames the video has.
        taken: Indices of those taken, int64 [N].
    """

    sha256: str
    frames: str
    num_frames: int
    taken: Rows


def write_taken_frames(videos: list[TakenFrames], path: Path) -> None:
    """Write videos.parquet, sorted by sha256."""
    videos = sorted(videos, key=lambda each: each.sha256)
    offsets = np.cumsum([0, *(len(each.taken) for each in videos)]).astype(np.int32)
    columns = [
        [each.sha256 for each in videos],
        [each.frames for each in videos],
        [each.num_frames for each in videos],
        pa.ListArray.from_arrays(offsets, np.concatenate([each.taken for each in videos])),
    ]
    pq.write_table(pa.table(columns, schema=VIDEOS_SCHEMA), path)


class Known:
    """The samples of the dataset before, those that were removed from it too, by their rows.

    Args:
        dataset: The dataset before; ``None`` or a folder that is no such dataset: nothing is known.
        store: How samples are to be stored; of a dataset that stores them otherwise, nothing is known.

    Attributes:
        samples: As `sslcore.data.sample_columns.SAMPLE_SCHEMA` says; those of its manifest first.
        shards: Files of the shards by their numbers, sorted.
        is_measured: Which samples were measured when they were stored, bool [N].
        images: Rows by sha256 of images that were; images that are stored later are added by who does it.
        unmeasured: Rows by sha256 of images that were not.
        frames: Rows by the 10 bytes of a frame's sample_id.
        marks: Which of them looked like which.
    """

    def __init__(self, dataset: Path | None, store: StoreFormat = ORIGINAL) -> None:
        self._folder = dataset
        self._keep: npt.NDArray[np.bool_] | None = None  # rows of the tables, where not all are kept
        self._videos: dict[tuple[str, str], TakenFrames] = {}
        self.samples: pa.Table = SAMPLE_SCHEMA.empty_table()
        self.shards: list[str] = []
        self.marks = OldMarks.none()
        if dataset is not None and dataset.is_dir():
            self._load(dataset, store)
            pa.default_memory_pool().release_unused()  # what reading took: else every step adds to the peak
        valid = [self.samples.column(name).is_valid().to_numpy() for name in ("phash", "num_bytes")]
        self.is_measured = valid[0] & valid[1]
        self._index()

    def _index(self) -> None:
        digests = fixed_bytes(self.samples.column("sha256"))
        is_image = pc.equal(self.samples.column("kind").cast(pa.string()), "image").to_numpy()
        rows = np.arange(len(self), dtype=np.int64)
        self.images, self.unmeasured = (
            DigestIndex(digests[chosen], rows[chosen])
            for chosen in (is_image & self.is_measured, is_image & ~self.is_measured)
        )
        ids = self.samples.column("sample_id").filter(pa.array(~is_image)).combine_chunks()
        keys, fine = from_hex(ids, FRAME_ID_BYTES)
        self.frames = DigestIndex(keys[fine], rows[~is_image][fine])

    def _load(self, dataset: Path, store: StoreFormat) -> None:
        try:
            before = dict(read_dataset_info(dataset).store)
            if before != store.described():
                log.info(
                    "%s is written anew: it has store %s, ingest.store is now %s", dataset, before, store
                )
                return
            names: dict[str, int] = {}
            parts = [
                [_compact(part, names) for part in read_batches(dataset / f"{table}.parquet", COLUMNS)]
                for table in _TABLES
            ]
            videos = dataset / VIDEOS_FILE
            taken = pq.read_table(videos, schema=VIDEOS_SCHEMA) if videos.is_file() else None
        except (UserError, OSError, pa.ArrowException) as error:
            log.warning("%s is not taken over, everything is read anew: %s", dataset, error)
            return
        num_present = sum(part.num_rows for part in parts[0])
        rows = pa.concat_tables([_COMPACT_SCHEMA.empty_table(), *parts[0], *parts[1]])
        del parts
        codes = rows.column("shard").to_numpy()
        whole = _whole_shards(dataset, list(names), codes, rows.column("row").to_numpy())
        keep = np.isin(codes, [code for name, code in names.items() if name in whole])
        if not keep.all():
            lost = int((~keep).sum())
            log.warning("%d samples of %s lie in damaged shards and are read anew", lost, dataset)
            rows, codes, self._keep = rows.filter(pa.array(keep)), codes[keep], keep
            num_present = int(keep[:num_present].sum())
        self.shards = sorted(whole)
        numbers = {name: number for number, name in enumerate(self.shards)}
        renumbered = np.array([numbers.get(name, -1) for name in names], dtype=np.int32)[codes]
        rows = rows.set_column(rows.column_names.index("shard"), "shard", pa.array(renumbered))
        self.marks = OldMarks.of(rows.slice(0, num_present))
        self.samples = rows.select(SAMPLE_SCHEMA.names)
        for each in taken.to_batches() if taken is not None else ():
            self._note_videos(each)

    def _note_videos(self, batch: pa.RecordBatch) -> None:
        sha256, frames, counts, taken = (batch.column(name) for name in VIDEOS_SCHEMA.names)
        for place in range(batch.num_rows):
            record = TakenFrames(
                sha256[place].as_py(),
                frames[place].as_py(),
                counts[place].as_py(),
                taken[place].values.to_numpy(),
            )
            self._videos[record.sha256, record.frames] = record

    def __len__(self) -> int:
        return int(self.samples.num_rows)

    def link_shards(self, folder: Path) -> None:
        """Hard-link the shards into a folder, or copy them where links are not possible."""
        for name in self.shards:
            assert self._folder is not None
            source, target = (self._folder / "shards" / name).resolve(), folder / name
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)

    def sample(self, row: int) -> dict[str, Any]:
        """Return a sample, with the names of `SAMPLE_SCHEMA`."""
        sample: dict[str, Any] = self.samples.slice(row, 1).to_pylist()[0]
        return sample

    def video(self, sha256: str, frames: str) -> VideoContent | None:
        """Return a video whose frames were taken by this very rule, if all are stored and measured."""
        record = self._videos.get((sha256, frames))
        if record is None:
            return None
        ids = b"".join(bytes.fromhex(frame_id(sha256, index)) for index in record.taken.tolist())
        rows = self.frames.find(np.frombuffer(ids, dtype=np.uint8).reshape(-1, FRAME_ID_BYTES))
        if not len(rows) or (rows < 0).any() or not self.is_measured[rows].all():
            return None
        return VideoContent(sha256, rows, record.taken, record.num_frames)

    def release(self) -> None:
        """Forget the samples; what they looked like, and what can be read of them again, stays."""
        self.samples = SAMPLE_SCHEMA.empty_table()
        self.is_measured = self.is_measured[:0].copy()
        self._index()

    def rows(self, chosen: npt.NDArray[np.bool_]) -> pa.Table:
        """Return rows of the manifest before, and of those removed then: all columns.

        Args:
            chosen: Which of ``samples``, bool [N].
        """
        if self._folder is None or not chosen.any():
            return MANIFEST_SCHEMA.empty_table()
        wanted = chosen
        if self._keep is not None:
            wanted = self._keep.copy()
            wanted[self._keep] = chosen
        parts, start = [MANIFEST_SCHEMA.empty_table()], 0
        for name in _TABLES:
            for part in read_batches(self._folder / f"{name}.parquet"):
                parts.append(part.filter(pa.array(wanted[start : start + part.num_rows])))
                start += part.num_rows
        return pa.concat_tables(parts).combine_chunks()


def _compact(part: pa.Table, shards: dict[str, int]) -> pa.Table:
    """Return part of a manifest in few bytes; shards are numbered in the order in which they come."""
    digests, fine = from_hex(part.column("sha256").combine_chunks())
    if not fine.all():
        raise UserError("a sha256 in its manifest is none")
    names = part.column("shard").combine_chunks().dictionary_encode()
    for name in names.dictionary.to_pylist():
        shards.setdefault(name, len(shards))
    numbers = pa.array([shards[name] for name in names.dictionary.to_pylist()], pa.int32())
    made = {"sha256": fixed_array(digests), "shard": numbers.take(names.indices)}
    columns = [made[name] if name in made else part.column(name) for name in COLUMNS]
    return pa.table(columns, names=list(COLUMNS)).cast(_COMPACT_SCHEMA)


def _whole_shards(
    dataset: Path, names: list[str], codes: npt.NDArray[np.int32], rows: npt.NDArray[np.int64]
) -> set[str]:
    needed = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(needed, codes, rows + 1)
    whole = set()
    for name, num_rows in zip(names, needed.tolist(), strict=True):
        try:
            if ShardReader(dataset / "shards" / name).num_rows >= num_rows:
                whole.add(name)
        except (OSError, pa.ArrowException) as error:
            log.warning("shard %s cannot be read: %s", name, error)
    return whole
