"""One sequential pass over a video, through PyAV: the frames that a rule takes, in constant memory.

Never seeks, so a frame's index is its place in a plain decode of the file from its start. Rotation metadata
is applied. Pixels that are not square stay as they are stored, and HDR is not tone mapped. Frames are only
converted to RGB if they are taken.

The decoder runs in one thread: with several it depends on their number where a damaged stream breaks, and on
some whether it is seen to be damaged at all (tried with H.264). A pass over keyframes only leaves out the
rest; what it finds counts only if it is sure (`VideoPass.sure`), and is then what a plain pass finds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sslcore.data.containers import missing_bytes
from sslcore.data.frame_pixels import FramePixels
from sslcore.data.frame_rule import FrameClock, FrameRule
from sslcore.data.key_frames import KeyFrames, Unsure
from sslcore.data.quarantine import Reason

__all__ = ["TakenFrame", "VideoError", "VideoPass"]

_DEFAULT_RATE = Fraction(25)
_LOST_SHARE = Fraction(1, 10)
_LOST_SECONDS = 1.0
# A file may be a playlist in disguise, which FFmpeg would follow to other files and to the network.
_NO_OTHER_FILES = {"protocol_whitelist": "none"}


class VideoError(ValueError):
    """A file of which no frame can be decoded.

    Attributes:
        reason: One of the reasons of quarantine.
        detail: What is wrong, in words.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, eq=False)
class TakenFrame:
    """A frame that the rule took.

    Attributes:
        index: Its place in a plain decode of the video, from 0.
        time_seconds: When it is shown; never before the frame before it.
        pixels: uint8 RGB [H, W, 3], upright.
    """

    index: int
    time_seconds: float
    pixels: npt.NDArray[np.uint8]


class VideoPass:
    """Iterate once over it; the attributes are final when it ends.

    Args:
        path: The file.
        rule: Which frames to take; fresh from `make_frame_rule`.
        keys_only: Decode keyframes only, for a rule that takes no others.
        progress: Called for each packet.

    Attributes:
        num_frames: Frames of the video so far.
        broken: Why the video ends before it should, or ``None``.
        sure: Whether what was found is what a plain pass would have found; otherwise make one.

    Raises:
        OSError: If the file cannot be read.
        VideoError: While iterating, if the file cannot be opened or has no video that can be decoded.
    """

    def __init__(
        self,
        path: Path,
        rule: FrameRule,
        *,
        keys_only: bool = False,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.num_frames = 0
        self.broken: str | None = None
        self._path = path
        self._rule = rule
        self._keys_only = keys_only
        self._progress = progress
        self._pixels = FramePixels()
        self._unsure = False
        self._missing_bytes = missing_bytes(path)
        self._num_packets = 0
        self._last: tuple[Fraction, int, Fraction] | None = None  # time, duration and its unit

    @property
    def sure(self) -> bool:
        """See above."""
        return not self._unsure and not (self._keys_only and self.broken)

    def __iter__(self) -> Iterator[TakenFrame]:
        # Through a file object: FFmpeg takes a name such as "a:b.mp4" for a protocol.
        with self._path.open("rb") as file:
            try:
                container = av.open(file, "r", metadata_errors="replace", options=_NO_OTHER_FILES)
            except (FFmpegError, ValueError) as error:
                raise self._not_opened(error) from error
            with container:
                stream = _video_stream(container.streams.video)
                stream.thread_count = 1
                stream.thread_type = "NONE"
                if self._keys_only:
                    yield from self._taken_keys(container, stream)
                else:
                    yield from self._taken(container, stream)
                self.broken = self.broken or self._silent_loss(stream)

    def _taken(self, container: InputContainer, stream: VideoStream) -> Iterator[TakenFrame]:
        clock, unit, rule = _clock(stream), _unit(stream), self._rule
        seen_good = False
        for frame in self._frames(container, stream):
            corrupt = frame.is_corrupt
            if corrupt and seen_good:
                self.broken = f"frame {self.num_frames} is damaged"
                return
            index = self.num_frames
            self.num_frames += 1
            time = clock.time(frame.pts, unit)
            self._last = time, frame.duration or 0, unit
            seen_good = seen_good or not corrupt
            # The leading frames of a recording that was cut out of a stream lack what they refer to.
            if seen_good and rule(index, time, frame):
                yield TakenFrame(index, round(float(time), 6), self._pixels(frame))

    def _taken_keys(self, container: InputContainer, stream: VideoStream) -> Iterator[TakenFrame]:
        clock, unit = _clock(stream), _unit(stream)
        keys = KeyFrames(container, stream, self._progress)
        try:
            for index, frame in keys:
                time = clock.time(frame.pts, unit)
                if self._rule(index, time, frame):
                    yield TakenFrame(index, round(float(time), 6), self._pixels(frame))
        except (Unsure, FFmpegError, OSError, ValueError):
            self._unsure = True
        self.num_frames = self._num_packets = keys.num_packets
        self._last = Fraction(0), keys.end_time, unit

    def _frames(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt and self._missing_bytes:  # the half of it that is there; MPEG flags more
                    return
                self._num_packets += packet.size > 0
                self._progress()
                yield from packet.decode()
        except (FFmpegError, OSError, ValueError) as error:
            self.broken = f"after frame {self.num_frames - 1}: {_reason(error)}"

    def _not_opened(self, error: Exception) -> VideoError:
        missing = self._missing_bytes
        detail = f"the last {missing} bytes are missing" if missing else _reason(error)
        return VideoError("broken_video", f"cannot be opened: {detail}")

    def _silent_loss(self, stream: VideoStream) -> str | None:
        """Say what is missing where FFmpeg only stops early or skips."""
        if self._missing_bytes:
            return f"the last {self._missing_bytes} bytes are missing, {self.num_frames} frames decode"
        if self._num_packets + 1 < stream.frames * (1 - _LOST_SHARE):
            return f"{self._num_packets} of its {stream.frames} frames are there"
        promised = _track_seconds(stream)
        end = 0.0
        if self._last is not None:
            time, duration, unit = self._last
            end = float(time + duration * unit)
        if end < promised * (1 - _LOST_SHARE) - _LOST_SECONDS:
            return f"stops after {end:.1f} of {promised:.1f} seconds"
        return None


def _video_stream(streams: tuple[VideoStream, ...]) -> VideoStream:
    """Return the first stream that is no cover picture."""
    moving = [each for each in streams if not each.disposition & Disposition.attached_pic]
    if not moving:
        raise VideoError("broken_video", "there is no video stream in it")
    try:
        moving[0].codec_context.name  # noqa: B018 - a stream without decoder has no context
    except AttributeError as error:
        raise VideoError("unsupported_codec", "FFmpeg has no decoder for its video stream") from error
    return moving[0]


def _clock(stream: VideoStream) -> FrameClock:
    return FrameClock(stream.average_rate or stream.guessed_rate or _DEFAULT_RATE)


def _unit(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _track_seconds(stream: VideoStream) -> float:
    """Return the track's own length, which Matroska writers note as ``00:00:10.333000000``; else 0."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _reason(error: Exception) -> str:
    """FFmpeg's words without the path, which differs between machines."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
