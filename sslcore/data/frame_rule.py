"""Which frames of a video become samples, and what time it is in a video whose timestamps lie."""

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from sslcore.data.scenes import SceneCuts, luma_thumbnail
from sslcore.errors import ConfigError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["FrameClock", "FrameRule", "make_frame_rule"]

_TOLERANCE = Fraction(1, 1000)  # Matroska rounds times to milliseconds
_NEW_TIMELINE = Fraction(1)


class FrameRule(Protocol):
    """Says of the frames of a video, in order of decoding, whether they are taken."""

    def __call__(self, index: int, time: Fraction, frame: "VideoFrame | None" = None, /) -> bool:
        """Whether a frame is taken.

        Args:
            index: Its place, from 0.
            time: When it is shown, in seconds.
            frame: Itself, not yet converted; ``keyframes`` and ``scenes`` need it.
        """


def make_frame_rule(frames: str) -> FrameRule:
    """Return a fresh rule for one pass over one video.

    ``all``; ``every N``: index 0, N, 2N ...; ``fps X``: the first frame at or after each X-th of a second
    since the video's first frame, so that at most every frame is taken and none twice; ``keyframes``: those
    that are stored whole; ``scenes``: the first of each scene (`sslcore.data.scenes`).

    Raises:
        ConfigError: If ``frames`` is none of these.
    """
    if frames == "all":
        return lambda index, time, frame=None: True
    if frames == "keyframes":
        return lambda index, time, frame=None: bool(_needed(frame, frames).key_frame)
    if frames == "scenes":
        cuts = SceneCuts()
        return lambda index, time, frame=None: cuts.begins(luma_thumbnail(_needed(frame, frames)), time)
    match = re.fullmatch(r"(every|fps) (\d+(?:\.\d+)?|\.\d+)", frames)
    number = Fraction(match[2]) if match else Fraction(0)
    if match is None or number <= 0 or (match[1] == "every" and number.denominator != 1):
        raise ConfigError(
            f"ingest.frames must be all, every N or fps X with N, X > 0, keyframes or scenes, got '{frames}'"
        )
    if match[1] == "every":
        step = int(number)
        return lambda index, time, frame=None: index % step == 0
    return _PerSecond(number)


def _needed(frame: "VideoFrame | None", frames: str) -> "VideoFrame":
    if frame is None:
        raise ConfigError(
            f"frames: {frames} can only be told while a video is decoded; here take all, every N or fps X"
        )
    return frame


class _PerSecond:
    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._tolerance = min(_TOLERANCE, 1 / fps / 2)
        self._start: Fraction | None = None
        self._due = Fraction(0)

    def __call__(self, index: int, time: Fraction, frame: "VideoFrame | None" = None, /) -> bool:
        if self._start is None:
            self._start = self._due = time
        if time < self._due:
            return False
        ticks = (time - self._start + self._tolerance) * self._fps
        self._due = self._start + (ticks.__floor__() + 1) / self._fps - self._tolerance
        return True


class FrameClock:
    """Turns presentation timestamps into times that never go back.

    A missing timestamp is one nominal frame after the frame before. A step back of up to a second is
    jitter: the time stands still. A longer one is a new timeline (joined recordings, a counter that
    wrapped): it goes on one nominal frame after the frame before.

    Args:
        rate: Nominal frames per second.
    """

    def __init__(self, rate: Fraction) -> None:
        self._frame = 1 / rate
        self._last: Fraction | None = None
        self._offset = Fraction(0)

    def time(self, pts: int | None, time_base: Fraction | None) -> Fraction:
        """Return the time in seconds of the next frame.

        Args:
            pts: Its presentation timestamp in units of ``time_base``, if it has one.
            time_base: Seconds per unit.
        """
        last = self._last
        if pts is None or time_base is None:
            now = Fraction(0) if last is None else last + self._frame
        else:
            now = Fraction(pts * time_base.numerator, time_base.denominator)
            if self._offset:
                now += self._offset
            if last is not None and now < last:
                if now < last - _NEW_TIMELINE:
                    self._offset += last + self._frame - now
                    now = last + self._frame
                else:
                    now = last
        self._last = now
        return now
