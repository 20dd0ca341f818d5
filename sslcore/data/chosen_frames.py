"""Which frames are keyframes or begin scenes: found by decoding a video once, and kept on disk."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sslcore.data.frame_index import CacheEntry
from sslcore.data.frame_rule import make_frame_rule
from sslcore.data.video import VideoError, VideoPass

__all__ = ["DECODED_RULES", "ChosenFrames", "chosen_frames"]

DECODED_RULES = ("keyframes", "scenes")


@dataclass(frozen=True, slots=True, eq=False)
class ChosenFrames:
    """The frames of a video that a rule takes.

    Attributes:
        numbers: Their places in a plain decode, int32 [N].
        num_frames: Frames that the video has, up to where it breaks.
    """

    numbers: npt.NDArray[np.int32]
    num_frames: int


def chosen_frames(
    paths: Iterable[Path], frames: str, *, cache: Path | None, num_threads: int = 0
) -> list[ChosenFrames | VideoError | OSError]:
    """Find the frames that the ingest stage would take, of several videos at once.

    Args:
        paths: The files.
        frames: One of `DECODED_RULES`.
        cache: Folder that keeps what was found, for as long as a file has the same size and time of change;
            ``None`` keeps nothing.
        num_threads: How many at once; 0 is one per core.

    Returns:
        For each path its frames, or why it has none.
    """

    def one(path: Path) -> ChosenFrames | VideoError | OSError:
        try:
            return _cached(path, frames, cache) if cache is not None else _found(path, frames)
        except (VideoError, OSError) as error:
            return error

    with ThreadPoolExecutor(num_threads or os.cpu_count() or 1) as threads:
        return list(threads.map(one, paths))


def _cached(path: Path, frames: str, cache: Path) -> ChosenFrames:
    entry = CacheEntry(path, cache, frames)
    stored = entry.read()
    if stored is not None:
        return ChosenFrames(stored["numbers"].astype(np.int32), int(stored["num_frames"]))
    found = _found(path, frames)
    entry.write(numbers=found.numbers.astype(np.int64), num_frames=np.array(found.num_frames))
    return found


def _found(path: Path, frames: str) -> ChosenFrames:
    """Pass over a video as the ingest stage does: over its keyframes alone where that is sure to be the same.

    Raises:
        OSError: If it cannot be read.
        VideoError: If no frame of it can be decoded.
    """
    numbers: list[int] = []
    video = VideoPass(path, make_frame_rule(frames), keys_only=frames == "keyframes")
    with suppress(VideoError):
        numbers = [frame.index for frame in video]
    if not numbers or not video.sure:
        video = VideoPass(path, make_frame_rule(frames))
        numbers = [frame.index for frame in video]
    if not numbers:
        raise VideoError("broken_video", video.broken or "no frame of it can be decoded")
    return ChosenFrames(np.array(numbers, dtype=np.int32), video.num_frames)
