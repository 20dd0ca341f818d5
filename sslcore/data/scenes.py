"""Where one scene of a video ends and the next begins, seen in small luma thumbnails, in one pass.

A cut is a frame that differs from the one before by much, and by much more than frames have lately differed:
so a camera that shakes or follows something fast does not cut. Fades, which no two frames show, are not seen.
"""

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["SceneCuts", "luma_thumbnail"]

Luma = npt.NDArray[np.uint32]

_ROWS, _COLUMNS = 36, 64
_LEAST_DIFFERENCE = 20.0  # grey levels of 255, on average
_TIMES_RECENT = 3.0
_RECENT_FRAMES = 12
_SHORTEST_SCENE = Fraction(1, 2)  # seconds: flashes and strobes are no scenes


def luma_thumbnail(frame: "VideoFrame") -> Luma:
    """Return about 36 x 64 means of luma, 0 to 255: of every so many-th row, in blocks along it."""
    luma = frame.format.components[0]
    if not (luma.is_luma and luma.bits == 8 and frame.format.is_planar):
        frame = frame.reformat(format="gray")
    plane: Any = frame.planes[0]  # a buffer, which its stubs do not say
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
    step, block = max(1, plane.height // _ROWS), max(1, plane.width // _COLUMNS)
    chosen = rows[step // 2 :: step, : plane.width // block * block]
    means: Luma = chosen.reshape(len(chosen), -1, block).sum(2, dtype=np.uint32) // np.uint32(block)
    return means


class SceneCuts:
    """Says of one frame after another whether it begins a scene; the first one does."""

    def __init__(self) -> None:
        self._before: Luma | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT_FRAMES)
        self._begun: Fraction | None = None

    def begins(self, thumbnail: Luma, time: Fraction) -> bool:
        """Whether the frame with this thumbnail, shown at this time in seconds, begins a scene."""
        before, self._before = self._before, thumbnail
        if before is None or before.shape != thumbnail.shape:
            self._recent.clear()
            self._begun = time
            return True
        total = int(np.abs(thumbnail.astype(np.int32) - before.astype(np.int32)).sum())
        difference = total / thumbnail.size
        recent = sum(self._recent) / len(self._recent) if self._recent else 0.0
        self._recent.append(difference)
        if difference < _LEAST_DIFFERENCE or difference < _TIMES_RECENT * recent:
            return False
        if self._begun is not None and time - self._begun < _SHORTEST_SCENE:
            return False
        self._recent.clear()  # the cut itself says nothing of how much the new scene moves
        self._begun = time
        return True
