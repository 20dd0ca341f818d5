"""Where the frames of a video are, from its packets alone, kept on disk: what random access needs.

Reading packets without decoding them takes milliseconds. It is enough where a file's packets say for sure
which frame comes where: each has a timestamp of its own, the first is a keyframe, and the decoder shows
frames in the order of the timestamps. Any other video (raw streams, timestamps that go back, a recording that
begins in the middle) is decoded once, in order, to know its frames.
"""

import hashlib
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from zipfile import BadZipFile

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from sslcore.data.frame_rule import FrameClock, make_frame_rule
from sslcore.data.video import _NO_OTHER_FILES, VideoError, _video_stream

__all__ = ["CacheEntry", "FrameIndex", "cache_folder", "index_video", "indices_of", "open_stream"]

log = logging.getLogger(__name__)

VERSION = 1
Times = npt.NDArray[np.int64]
NO_TIME = np.iinfo(np.int64).min
_DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """The frames of a video, in the order of a plain decode from its start.

    Attributes:
        times: Timestamp of each frame in units of ``time_base``, int64 [N]; `NO_TIME` where it has none.
        keys: Timestamps that decoding can begin at, sorted; empty where it must begin at the start.
        time_base: Seconds per unit.
        rate: Nominal frames per second.
    """

    times: Times
    keys: Times
    time_base: Fraction
    rate: Fraction

    def __len__(self) -> int:
        return len(self.times)

    def taken(self, frames: str) -> npt.NDArray[np.int32]:
        """Return the numbers of the frames that ``frames`` takes, int32, as ingest would.

        Raises:
            ConfigError: If it is no rule, or one that needs the pixels (``keyframes``, ``scenes``).
        """
        rule = make_frame_rule(frames)
        if frames == "all":
            return np.arange(len(self), dtype=np.int32)
        if frames.startswith("every "):
            return np.arange(0, len(self), int(frames.removeprefix("every ")), dtype=np.int32)
        clock = FrameClock(self.rate)
        chosen = []
        for number, time in enumerate(self.times.tolist()):
            now = clock.time(None if time == NO_TIME else time, self.time_base)
            if rule(number, now):
                chosen.append(number)
        return np.array(chosen, dtype=np.int32)


def open_stream(container: InputContainer) -> VideoStream:
    """Return the stream whose frames are counted, decoded in one thread.

    Raises:
        VideoError: If there is none, or FFmpeg cannot decode it.
    """
    stream = _video_stream(container.streams.video)
    stream.thread_count = 1
    stream.thread_type = "NONE"
    return stream


def index_video(path: Path) -> FrameIndex:
    """Index a video file, without decoding it if that is enough.

    Raises:
        OSError: If it cannot be read.
        VideoError: If it is no video, or has no frame that can be decoded.
    """
    with path.open("rb") as file:
        try:
            with av.open(file, "r", metadata_errors="replace", options=_NO_OTHER_FILES) as container:
                stream = open_stream(container)
                index = _from_packets(container, stream)
        except (FFmpegError, ValueError) as error:
            if isinstance(error, VideoError):
                raise
            raise VideoError("broken_video", f"cannot be opened: {_first_line(error)}") from error
    index = index if index is not None else _from_frames(path)
    if not len(index):
        raise VideoError("broken_video", "no frame of it can be decoded")
    return index


def _from_packets(container: InputContainer, stream: VideoStream) -> FrameIndex | None:
    """Return the index that the packets give; ``None`` if they leave anything open."""
    times: list[int] = []
    keys: list[int] = []
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None or packet.is_corrupt or packet.is_discard:
            return None
        times.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
    shown = np.array(times, dtype=np.int64)
    order = np.sort(shown)
    in_order = bool((shown == order).all())
    certain = (
        len(shown) > 0
        and bool((np.diff(order) > 0).all())
        and keys[:1] == times[:1]
        and keys == sorted(keys)
        and order[0] == shown[0]  # nothing is shown before the first keyframe
        and in_order != bool(stream.codec_context.has_b_frames)
    )
    return FrameIndex(order, np.array(keys, dtype=np.int64), *_clock(stream)) if certain else None


def _from_frames(path: Path) -> FrameIndex:
    """Return the index that a plain decode gives; keys only where timestamps rise, so that seeking works."""
    times: list[int] = []
    keys: list[int] = []
    with (
        path.open("rb") as file,
        av.open(file, "r", metadata_errors="replace", options=_NO_OTHER_FILES) as container,
    ):
        stream = open_stream(container)
        clock = _clock(stream)
        with suppress(FFmpegError, ValueError):  # what comes before a break counts
            for frame in container.decode(stream):
                times.append(NO_TIME if frame.pts is None else frame.pts)
                if frame.key_frame and frame.pts is not None and not frame.is_corrupt:
                    keys.append(frame.pts)
    shown = np.array(times, dtype=np.int64)
    rising = len(shown) > 0 and shown[0] != NO_TIME and bool((np.diff(shown) > 0).all())
    return FrameIndex(shown, np.array(keys if rising else [], dtype=np.int64), *clock)


def _clock(stream: VideoStream) -> tuple[Fraction, Fraction]:
    base = stream.time_base or Fraction(1, 1000)
    return base, Fraction(stream.average_rate or stream.guessed_rate or _DEFAULT_RATE)


def _first_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def cache_folder() -> Path:
    """Return where indices are kept: ``$XDG_CACHE_HOME/sslflow/frames``, or ``~/.cache/sslflow/frames``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sslflow" / "frames"


def indices_of(
    paths: Iterable[Path], *, cache: Path | None, num_threads: int = 0
) -> list[FrameIndex | VideoError | OSError]:
    """Index videos in parallel, or read their indices from the cache.

    Args:
        paths: The files.
        cache: Folder of the indices; ``None`` keeps none. An index is used while its file has the same size
            and time of change.
        num_threads: How many at once; 0 is one per core.

    Returns:
        For each path its index, or why it has none.
    """

    def one(path: Path) -> FrameIndex | VideoError | OSError:
        try:
            return _cached(path, cache) if cache is not None else index_video(path)
        except (VideoError, OSError) as error:
            return error

    with ThreadPoolExecutor(num_threads or os.cpu_count() or 1) as threads:
        return list(threads.map(one, paths))


def _cached(path: Path, cache: Path) -> FrameIndex:
    entry = CacheEntry(path, cache)
    stored = entry.read()
    if stored is not None:
        base, rate = (Fraction(int(a), int(b)) for a, b in stored["clock"])
        return FrameIndex(stored["times"], stored["keys"], base, rate)
    index = index_video(path)
    parts = [(each.numerator, each.denominator) for each in (index.time_base, index.rate)]
    entry.write(times=index.times, keys=index.keys, clock=np.array(parts))
    return index


class CacheEntry:
    """Arrays that are kept on disk for a video, for as long as its size and time of change stay.

    Args:
        path: The video.
        cache: The folder.
        what: What they are, where it is not the index.

    Raises:
        OSError: If the video cannot be looked at.
    """

    def __init__(self, path: Path, cache: Path, what: str = "") -> None:
        status = path.stat()
        self._path = path
        self._stamp = np.array([VERSION, status.st_size, status.st_mtime_ns], dtype=np.int64)
        name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
        self._file = cache / f"{name}{what and '-' + what}.npz"

    def read(self) -> dict[str, npt.NDArray[np.int64]] | None:
        """Return the arrays, or ``None`` if there are none that hold."""
        with suppress(OSError, ValueError, KeyError, BadZipFile, EOFError):
            with np.load(self._file, allow_pickle=False) as stored:
                if np.array_equal(stored["stamp"], self._stamp):
                    return dict(stored)
        return None

    def write(self, **arrays: npt.NDArray[np.int64]) -> None:
        """Keep arrays; a folder that cannot be written is no error."""
        partial = self._file.with_name(f".{self._file.stem}.{os.getpid()}.npz")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(partial, allow_pickle=False, stamp=self._stamp, **arrays)
            partial.replace(self._file)
        except OSError as error:
            log.warning("the index of %s is not kept: %s", self._path, error)
            with suppress(OSError):
                partial.unlink()
