"""Look at one file: hash it, decode it fully, and say what it is. Imports neither torch nor pyarrow."""

import dataclasses
import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from sslcore.data.decode import ImageError, decode_image, open_image
from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.frame_rule import make_frame_rule
from sslcore.data.measures import Measures, measure
from sslcore.data.media import Limits
from sslcore.data.quarantine import Problem
from sslcore.data.source_file import SourceFile
from sslcore.data.video import VideoError, VideoPass

__all__ = ["Finding", "FrameFinding", "encode_png", "examine_file", "hash_file"]

_PART_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class FrameFinding:
    """A frame that was taken; its bytes lie in the video's spool file.

    Attributes:
        index: Its place in a plain decode.
        time_seconds: When it is shown.
        width: Pixels.
        height: Pixels.
        sha256: Of the bytes to store, in hex.
        num_bytes: Of the bytes to store.
        measures: What it looks like.
    """

    index: int
    time_seconds: float
    width: int
    height: int
    sha256: str
    num_bytes: int
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of a file.

    Attributes:
        name: The file's name.
        kind: ``image``, ``video``, or ``nothing`` when there is only a problem.
        sha256: Of the file's bytes, in hex.
        problem: Why it is in quarantine; a video that breaks has one and frames too.
        width: Of an image, in pixels, upright.
        height: Of an image, in pixels, upright.
        measures: What an image looks like.
        num_bytes: Of the image file.
        num_frames: Frames that a video has, taken or not.
        frames: Those that were taken.
        data: An image's bytes to store.
    """

    name: str
    kind: str
    sha256: str = ""
    problem: Problem | None = None
    width: int = 0
    height: int = 0
    measures: Measures | None = None
    num_bytes: int = 0
    num_frames: int = 0
    frames: tuple[FrameFinding, ...] = ()
    data: bytes = field(default=b"", repr=False)


def examine_file(
    file: SourceFile,
    *,
    frames: str,
    limits: Limits,
    spool: Path,
    store: StoreFormat = ORIGINAL,
    progress: Callable[[], None] = lambda: None,
) -> Finding:
    """Read and decode a file.

    Args:
        file: What to look at.
        frames: Which frames of a video to take.
        limits: What images and frames must keep to.
        spool: File that takes a video's frames, one after the other.
        store: In which form samples are stored.
        progress: Called for each part of a video that is hashed or decoded.

    Returns:
        What it is, or the problem with it; bad files raise nothing.
    """
    try:
        if Path(file.path).stat().st_size == 0:
            return _bad(file, "zero_bytes", "the file is empty")
        with warnings.catch_warnings():  # Pillow warns of what it mends, such as damaged EXIF blocks
            warnings.simplefilter("ignore")
            if file.kind == "video":
                return _examine_video(file, frames, limits, spool, store, progress)
            return _examine_image(file, limits, store)
    except (ImageError, VideoError) as error:
        return _bad(file, error.reason, error.detail)
    except OSError as error:
        return _bad(file, "unreadable", error.strerror or type(error).__name__)


def _bad(file: SourceFile, *reason: str) -> Finding:
    return Finding(name=file.name, kind="nothing", problem=Problem(file.name, *reason))  # type: ignore[arg-type]


def _examine_image(file: SourceFile, limits: Limits, store: StoreFormat) -> Finding:
    num_bytes = Path(file.path).stat().st_size
    if num_bytes > limits.max_bytes:
        megabytes = num_bytes / 1e6
        return _bad(file, "too_large", f"{megabytes:.0f} MB, more than max_megapixels can need")
    data = Path(file.path).read_bytes()
    violated = limits.violated(*open_image(data).size)
    if violated is not None:
        return _bad(file, *violated)
    image = decode_image(data)
    return Finding(
        name=file.name,
        kind="image",
        sha256=hashlib.sha256(data).hexdigest(),
        width=image.width,
        height=image.height,
        measures=measure(image),
        num_bytes=len(data),
        data=store.encode(image, data),
    )


def _examine_video(
    file: SourceFile,
    frames: str,
    limits: Limits,
    spool: Path,
    store: StoreFormat,
    progress: Callable[[], None],
) -> Finding:
    path = Path(file.path)
    digest = hash_file(path, progress)
    finding = None
    if frames == "keyframes":
        quick = VideoPass(path, make_frame_rule(frames), keys_only=True, progress=progress)
        with suppress(VideoError):
            finding = _taken(file, quick, limits, spool, store)
        finding = finding if quick.sure else None
    if finding is None:
        plain = VideoPass(path, make_frame_rule(frames), progress=progress)
        finding = _taken(file, plain, limits, spool, store)
    return finding if finding.kind == "nothing" else dataclasses.replace(finding, sha256=digest)


def _taken(file: SourceFile, video: VideoPass, limits: Limits, spool: Path, store: StoreFormat) -> Finding:
    """Write the frames of one pass to the spool."""
    taken: list[FrameFinding] = []
    with spool.open("wb") as out:
        for frame in video:
            height, width = frame.pixels.shape[:2]
            violated = limits.violated(width, height)
            if violated is not None:
                return _bad(file, *violated)
            image = Image.fromarray(frame.pixels)
            stored = store.encode(image)
            out.write(stored)
            sha, looks = hashlib.sha256(stored).hexdigest(), measure(image)
            taken.append(
                FrameFinding(frame.index, frame.time_seconds, width, height, sha, len(stored), looks)
            )
    if not taken:
        return _bad(file, "broken_video", video.broken or "no frame of it can be decoded")
    problem = Problem(file.name, "broken_video", video.broken) if video.broken else None
    return Finding(
        name=file.name, kind="video", problem=problem, num_frames=video.num_frames, frames=tuple(taken)
    )


def encode_png(image: Image.Image) -> bytes:
    """Return an image as a PNG; the same pixels always give the same bytes."""
    return ORIGINAL.encode(image)


def hash_file(path: Path, progress: Callable[[], None] | None = None) -> str:
    """Return the sha256 of a file's bytes in hex.

    Args:
        path: The file.
        progress: Called for each part of it.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        if progress is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while part := file.read(_PART_BYTES):
            digest.update(part)
            progress()
        return digest.hexdigest()
