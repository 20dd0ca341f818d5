"""Which frames of a video become samples, and what time it is in a video whose timestamps lie."""

import re
from collections.abc import Callable
from fractions import Fraction

from sslcore.errors import ConfigError

__all__ = ["FrameClock", "FrameRule", "make_frame_rule"]

FrameRule = Callable[[int, Fraction], bool]
"""From a frame's index and its time in seconds, in order of decoding, to whether it is taken."""

_TOLERANCE = Fraction(1, 1000)  # Matroska rounds times to milliseconds
_NEW_TIMELINE = Fraction(1)


def make_frame_rule(frames: str) -> FrameRule:
    """Return a fresh rule for one pass over one video.

    ``all``; ``every N``: index 0, N, 2N ...; ``fps X``: the first frame at or after each X-th of a second
    since the video's first frame, so that at most every frame is taken and none twice.

    Raises:
        ConfigError: If ``frames`` is none of these.
    """
    if frames == "all":
        return lambda index, time: True
    match = re.fullmatch(r"(every|fps) (\d+(?:\.\d+)?|\.\d+)", frames)
    number = Fraction(match[2]) if match else Fraction(0)
    if match is None or number <= 0 or (match[1] == "every" and number.denominator != 1):
        raise ConfigError(f"ingest.frames must be all, every N or fps X with N, X > 0, got '{frames}'")
    if match[1] == "every":
        return lambda index, time: index % number == 0
    return _PerSecond(number)


class _PerSecond:
    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._start: Fraction | None = None
        self._next = 0

    def __call__(self, index: int, time: Fraction) -> bool:
        if self._start is None:
            self._start = time
        ticks = (time - self._start + min(_TOLERANCE, 1 / self._fps / 2)) * self._fps
        if ticks < self._next:
            return False
        self._next = ticks.__floor__() + 1
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
        after = Fraction(0) if self._last is None else self._last + self._frame
        if pts is None or time_base is None:
            now = after
        else:
            now = pts * time_base + self._offset
            if self._last is not None and now < self._last - _NEW_TIMELINE:
                self._offset += after - now
                now = after
            elif self._last is not None:
                now = max(now, self._last)
        self._last = now
        return now
