"""Constraint ``sequences``: frames of a video are picked as whole runs of successive ones, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import UserError
from sslcore.selection.given import check_whole
from sslcore.selection.objectives.base import by_position
from sslcore.selection.pool import Pool, is_missing

__all__ = ["Sequences"]


@dataclass(frozen=True)
class Sequences:
    """Runs of ``length`` successive frames; the last of a video may be shorter.

    A run is scored by the mean, over its frames, of the logarithm of the objectives' product. Images, which
    have no video, are picked one by one.
    """

    videos: Sequence[Any] | ArrayLike
    """Video of each row, None (NaN, ``pandas.NA``) for an image [N]."""
    frames: Sequence[Any] | ArrayLike
    """Number of the frame in its video; not read for an image [N]."""
    length: int = 10
    """Frames of a run."""
    name: str = "sequences"
    """What it is called."""

    def units(self, pool: Pool) -> list[NDArray[np.int64]]:
        """Return the runs as places among the candidates, each in the order of its frames.

        A frame that is labelled already is not picked again, but keeps its place in the count of frames.

        Raises:
            ConfigError: If ``length`` is not a whole number above 0.
            UserError: If a frame of a video has no number.
        """
        check_whole(self.length, name="length", least=1)
        videos = by_position(self.videos, pool, what="the videos").tolist()
        frames = by_position(self.frames, pool, what="the frames").tolist()
        of_video: dict[str, list[tuple[float, int]]] = {}
        units: list[NDArray[np.int64]] = []
        place_of = {int(position): place for place, position in enumerate(pool.candidates)}
        for position, (video, frame) in enumerate(zip(videos, frames, strict=True)):
            if not is_missing(video):
                of_video.setdefault(str(video), []).append((_number(frame, video), position))
            elif position in place_of:
                units.append(np.array([place_of[position]]))
        for members in of_video.values():
            ordered = [position for _, position in sorted(members)]
            for start in range(0, len(ordered), self.length):
                run = [place_of[each] for each in ordered[start : start + self.length] if each in place_of]
                if run:
                    units.append(np.array(run))
        return sorted(units, key=lambda unit: int(unit.min()))


def _number(frame: Any, video: Any) -> float:
    """Return the number of a frame."""
    try:
        number = np.nan if is_missing(frame) else float(frame)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise UserError(f"each frame of video '{video}' must have a number, got {frame!r}")
    return number
