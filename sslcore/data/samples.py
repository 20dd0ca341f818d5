"""The samples of an ingestion: contents, the names they have, and where their bytes are stored."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sslcore.data.examine import Finding, FrameFinding
from sslcore.data.store import OpenShard, ShardWriter

if TYPE_CHECKING:
    from sslcore.data.known import Known

__all__ = ["Collection", "Content", "Sample", "frame_filename"]


@dataclass(slots=True, kw_only=True)
class Sample:
    """An image or a frame, without its name.

    Attributes:
        sample_id: 20 hex digits of a hash of its content.
        sha256: The full digest; of the stored bytes for a frame.
        kind: ``image`` or ``frame``.
        width: Pixels.
        height: Pixels.
        frame_index: Of a frame, in a plain decode of its video.
        time_seconds: Of a frame.
        shard: File in ``shards/``; while it is being written, the open shard.
        row: In the shard.
        num_bytes: Of the image file, or of the stored bytes for a frame.
        sharpness, brightness, contrast, phash: See `sslcore.data.measures`. These and ``num_bytes`` are
            ``None`` when an older version stored the sample.
    """

    sample_id: str
    sha256: str
    kind: str
    width: int
    height: int
    frame_index: int | None = None
    time_seconds: float | None = None
    shard: str | OpenShard
    row: int
    num_bytes: int | None = None
    sharpness: float | None = None
    brightness: float | None = None
    contrast: float | None = None
    phash: int | None = None

    @property
    def is_measured(self) -> bool:
        """Whether it was measured when it was stored."""
        return self.phash is not None and self.num_bytes is not None

    @staticmethod
    def frame_id(video_sha256: str, index: int) -> str:
        """Return the sample_id of a frame."""
        return hashlib.sha256(f"{video_sha256}:{index}".encode()).hexdigest()[:20]

    @property
    def shard_name(self) -> str:
        """The shard's file name; the shard must be closed."""
        name = self.shard if isinstance(self.shard, str) else self.shard.name
        assert name is not None
        return name


@dataclass(slots=True)
class Content:
    """What some bytes hold: an image, or the frames taken of a video.

    Attributes:
        sha256: Of the bytes.
        samples: One for an image.
        num_frames: Frames that the video has; 0 for an image.
        whole: False for a video that breaks.
        names: Of the files with these bytes.
    """

    sha256: str
    samples: list[Sample]
    num_frames: int = 0
    whole: bool = True
    names: list[str] = field(default_factory=list)

    @property
    def is_video(self) -> bool:
        """Whether the samples are frames."""
        return self.num_frames > 0

    @property
    def key(self) -> tuple[bool, str]:
        """What tells contents apart: the same bytes may be read as an image and as a video."""
        return self.is_video, self.sha256

    def filename(self, sample: Sample, name: str) -> str:
        """Return the name of a sample of a file with this name."""
        if sample.frame_index is None:
            return name
        return frame_filename(name, sample.frame_index, self.num_frames)


def frame_filename(video: str, index: int, num_frames: int) -> str:
    """Return ``VIDEO-INDEX-EXT.png``, the index padded to the digits of ``num_frames``."""
    path = PurePosixPath(video)
    digits = len(str(num_frames))
    return str(path.with_name(f"{path.stem}-{index:0{digits}}-{path.suffix[1:]}.png"))


def _measured(sample: Sample, finding: Finding | FrameFinding) -> Sample:
    assert finding.measures is not None
    return replace(sample, num_bytes=finding.num_bytes, **asdict(finding.measures))


class Collection:
    """Collects contents and writes those to the store that are not in it.

    Args:
        known: What is stored already.
        writer: Of new shards.
    """

    def __init__(self, known: "Known", writer: ShardWriter) -> None:
        self.contents: dict[tuple[bool, str], Content] = {}
        self.num_new = 0
        self._known = known
        self._writer = writer

    def add_known(self, name: str, content: Content) -> None:
        """Add a file whose content is stored."""
        self.contents.setdefault(content.key, content).names.append(name)

    def add(self, finding: Finding, spool: Path) -> None:
        """Add a file that was examined; of one in quarantine, only the frames before its break."""
        content = self.contents.get((finding.kind == "video", finding.sha256))
        if content is None and finding.kind == "image":
            content = Content(finding.sha256, [self._image(finding)])
        elif content is None and finding.kind == "video":
            frames = list(self._frames(finding, spool))
            content = Content(finding.sha256, frames, finding.num_frames, finding.problem is None)
        if content is not None and finding.kind != "nothing":
            self.contents.setdefault(content.key, content).names.append(finding.name)
        spool.unlink(missing_ok=True)

    def _image(self, finding: Finding) -> Sample:
        sample_id = finding.sha256[:20]
        stored = self._known.image(finding.sha256)
        if stored is not None:
            return stored if stored.is_measured else _measured(stored, finding)
        shard, row = self._store(sample_id, finding.data, finding.width, finding.height)
        sample = Sample(
            sample_id=sample_id,
            sha256=finding.sha256,
            kind="image",
            width=finding.width,
            height=finding.height,
            shard=shard,
            row=row,
        )
        return _measured(sample, finding)

    def _frames(self, finding: Finding, spool: Path) -> Iterator[Sample]:
        with spool.open("rb") as file:
            for frame in finding.frames:
                data = file.read(frame.num_bytes)
                sample_id = Sample.frame_id(finding.sha256, frame.index)
                stored = self._known.sample(sample_id)
                if stored is not None:
                    yield stored if stored.is_measured else _measured(stored, frame)
                    continue
                shard, row = self._store(sample_id, data, frame.width, frame.height)
                sample = Sample(
                    sample_id=sample_id,
                    sha256=frame.sha256,
                    kind="frame",
                    width=frame.width,
                    height=frame.height,
                    frame_index=frame.index,
                    time_seconds=frame.time_seconds,
                    shard=shard,
                    row=row,
                )
                yield _measured(sample, frame)

    def _store(self, sample_id: str, data: bytes, width: int, height: int) -> tuple[OpenShard, int]:
        self.num_new += 1
        return self._writer.add(sample_id, data, (width, height))
