"""The names and the ids of a video's frames."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

__all__ = ["frame_filename", "frame_filenames", "frame_id"]


def frame_filename(video: str, index: int, num_frames: int) -> str:
    """Return ``VIDEO-INDEX-EXT.png``, the index padded to the digits of ``num_frames``."""
    return frame_filenames(video, [index], num_frames)[0]


def frame_filenames(video: str, indices: Iterable[int], num_frames: int) -> list[str]:
    """Return the names of several frames of a video, as `frame_filename` gives them."""
    path = PurePosixPath(video)
    digits = len(str(num_frames))
    # with_name keeps the folder; a name without one has none.
    before = str(path.with_name(f"{path.stem}-"))
    return [f"{before}{index:0{digits}}-{path.suffix[1:]}.png" for index in indices]


def frame_id(video_sha256: str, index: int) -> str:
    """Return the sample_id of a frame: 20 hex digits."""
    return hashlib.sha256(f"{video_sha256}:{index}".encode()).hexdigest()[:20]
