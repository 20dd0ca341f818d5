"""The samples of an ingestion: contents, the names they have, and where their bytes are stored."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sslcore.data.examine import Finding, FrameFinding
from sslcore.data.frame_names import frame_id
from sslcore.data.sample_columns import SampleColumns
from sslcore.data.store import OpenShard, ShardWriter

if TYPE_CHECKING:
    from sslcore.data.known import Known

__all__ = ["Collection", "VideoContent"]

FLUSH_NAMES = 16384
Rows = npt.NDArray[np.int64]


@dataclass(slots=True)
class VideoContent:
    """What the bytes of a video hold.

    Attributes:
        sha256: Of the file, in hex.
        rows: Of its frames among the samples of the collection, int64 [N].
        indices: Of its frames in a plain decode, int64 [N].
        num_frames: Frames that it has, taken or not.
        whole: False for a video that breaks.
        names: Of the files with these bytes.
    """

    sha256: str
    rows: Rows
    indices: Rows
    num_frames: int
    whole: bool = True
    names: list[str] = field(default_factory=list)


class Collection:
    """Collects contents and writes those to the store that are not in it.

    A sample is a row: first come those that are known, then those that are new.

    Args:
        known: What is stored already.
        writer: Of new shards.

    Attributes:
        videos: By their sha256.
        num_new: Samples that were written.
    """

    def __init__(self, known: "Known", writer: ShardWriter) -> None:
        self.videos: dict[str, VideoContent] = {}
        self.num_new = 0
        self._known = known
        self._writer = writer
        self._new = SampleColumns()
        self._shards: list[str | OpenShard] = list(known.shards)
        self._parts: list[tuple[Rows, pa.Array]] = []
        self._rows, self._names = array("q"), list[str]()

    def take_images(self, rows: Rows, names: pa.Array) -> None:
        """Add files whose content is stored: the known row of each, int64 [N], and its name."""
        self._parts.append((rows, names))

    def take_video(self, name: str, video: VideoContent) -> None:
        """Add a file whose frames are stored."""
        self.videos.setdefault(video.sha256, video).names.append(name)

    def has_image(self, sha256: str) -> bool:
        """Whether an image with this content is stored and measured."""
        return self._known.images.get(bytes.fromhex(sha256)) >= 0

    def add(self, finding: Finding, spool: Path) -> None:
        """Add a file that was examined; of one in quarantine, only the frames before its break."""
        if finding.kind == "image":
            self._names.append(finding.name)
            self._rows.append(self._image(finding))
            if len(self._names) >= FLUSH_NAMES:
                self._flush()
        elif finding.kind == "video":
            if finding.sha256 not in self.videos:
                rows = np.fromiter(self._frames(finding, spool), dtype=np.int64)
                indices = np.array([frame.index for frame in finding.frames], dtype=np.int64)
                whole = finding.problem is None
                video = VideoContent(finding.sha256, rows, indices, finding.num_frames, whole)
                self.videos[finding.sha256] = video
            self.videos[finding.sha256].names.append(finding.name)
        if finding.kind != "image":  # a video that failed may have left something too
            spool.unlink(missing_ok=True)

    def _image(self, finding: Finding) -> int:
        digest = bytes.fromhex(finding.sha256)
        row = self._known.images.get(digest)
        if row >= 0:
            return row
        stored = self._known.unmeasured.get(digest)
        if stored >= 0:
            row = self._append({**self._known.sample(stored), **_measures(finding)})
        else:
            sample_id = finding.sha256[:20]
            sample = {"sample_id": sample_id, "sha256": digest, "kind": "image"}
            row = self._store(sample, finding.data, finding)
        self._known.images.add(digest, row)
        return row

    def _frames(self, finding: Finding, spool: Path) -> Iterator[int]:
        ids = [frame_id(finding.sha256, frame.index) for frame in finding.frames]
        with spool.open("rb") as file:
            for frame, sample_id in zip(finding.frames, ids, strict=True):
                data = file.read(frame.num_bytes)
                stored = self._known.frames.get(bytes.fromhex(sample_id))
                if stored >= 0 and self._known.is_measured[stored]:
                    yield stored
                elif stored >= 0:
                    yield self._append({**self._known.sample(stored), **_measures(frame)})
                else:
                    sample = {
                        "sample_id": sample_id,
                        "sha256": bytes.fromhex(frame.sha256),
                        "kind": "frame",
                        "frame_index": frame.index,
                        "time_seconds": frame.time_seconds,
                    }
                    yield self._store(sample, data, frame)

    def _store(self, sample: dict[str, Any], data: bytes, finding: Finding | FrameFinding) -> int:
        self.num_new += 1
        size = finding.width, finding.height
        shard, row = self._writer.add(sample["sample_id"], data, size)
        if not self._shards or self._shards[-1] is not shard:
            self._shards.append(shard)
        place = {"width": size[0], "height": size[1], "shard": len(self._shards) - 1, "row": row}
        return self._append({**sample, **place, **_measures(finding)})

    def _append(self, sample: dict[str, Any]) -> int:
        return len(self._known) + self._new.append(sample)

    def _flush(self) -> None:
        rows = np.array(self._rows, dtype=np.int64)
        self._parts.append((rows, pa.array(self._names, pa.string())))
        self._rows, self._names = array("q"), []

    def image_names(self) -> tuple[Rows, pa.StringArray]:
        """Return the row of the sample of each image file, int64 [N], and the file's name."""
        self._flush()
        rows = np.concatenate([rows for rows, _ in self._parts])
        names = pa.concat_arrays([names for _, names in self._parts])
        self._parts = [(rows, names)]
        return rows, names

    def new_samples(self) -> pa.Table:
        """Return the samples that are not among those known, as `SAMPLE_SCHEMA` says."""
        return self._new.table()

    def shard_names(self) -> pa.StringArray:
        """Return the file of each shard by its number; all must be closed."""
        names = [each if isinstance(each, str) else each.name for each in self._shards]
        assert None not in names
        return pa.array(names, pa.string())


def _measures(finding: Finding | FrameFinding) -> dict[str, Any]:
    measures = finding.measures
    assert measures is not None
    return {
        "num_bytes": finding.num_bytes,
        "sharpness": measures.sharpness,
        "brightness": measures.brightness,
        "contrast": measures.contrast,
        "phash": measures.phash,
    }
