"""The keyframes of a video with their places among all frames, without decoding what lies between.

The place of a keyframe is the number of packets that are shown before it. That is the place in a plain decode
only where every packet becomes one frame and has a time; where that is not sure, `Unsure` is raised, and the
video is to be decoded plainly.
"""

from collections import deque
from collections.abc import Callable, Iterator

from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

__all__ = ["KeyFrames", "Unsure"]

# Codecs and containers of which a packet is a frame. (VP8 has packets that show nothing, AVI has no times.)
_CODECS = frozenset({"h264", "hevc", "av1", "vp9"})
_CONTAINERS = frozenset({"mov", "matroska"})


class Unsure(Exception):
    """The packets do not say for sure which frame comes where."""


class KeyFrames:
    """Iterate once over it, for (place, frame) of each keyframe.

    Args:
        container: The open file.
        stream: Its video stream; decodes keyframes only from now on.
        progress: Called for each packet.

    Attributes:
        num_packets: Packets read so far; in the end, the number of frames.
        end_time: When the last of them is over, in units of the stream's time base.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, progress: Callable[[], None] = lambda: None
    ) -> None:
        self.num_packets = 0
        self.end_time = 0
        self._container = container
        self._stream = stream
        self._progress = progress
        self._latest: int | None = None  # of all times so far
        self._key: tuple[int, int] | None = None  # time and place so far of the last keyframe
        self._places: deque[tuple[int, int]] = deque()  # those whose frames have not come out yet
        self._frames: deque[VideoFrame] = deque()

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        codec = self._stream.codec_context.codec.canonical_name
        if codec not in _CODECS or _CONTAINERS.isdisjoint(self._container.format.name.split(",")):
            raise Unsure
        self._stream.codec_context.skip_frame = "NONKEY"
        for packet in self._container.demux(self._stream):
            self._progress()
            if packet.size:
                self._take(packet)
                yield from self._known()
        self._settle()
        self._frames += self._stream.codec_context.decode(None)
        yield from self._known()
        if self._frames or self._places:
            raise Unsure

    def _take(self, packet: "Packet[VideoStream]") -> None:
        time = packet.pts
        if time is None or packet.is_corrupt or packet.is_discard:
            raise Unsure
        if packet.is_keyframe:
            self._settle()
            if self._latest is not None and time <= self._latest:
                raise Unsure
            self._key = time, self.num_packets
            self._frames += packet.decode()
        elif self._key is None or time == self._key[0]:
            raise Unsure
        elif time < self._key[0]:  # sent after it, shown before it
            if not self._key[1]:
                raise Unsure
            self._key = self._key[0], self._key[1] + 1
        self._latest = time if self._latest is None else max(self._latest, time)
        self.end_time = max(self.end_time, time + (packet.duration or 0))
        self.num_packets += 1

    def _settle(self) -> None:
        """The next keyframe is there: nothing more is shown before the last one."""
        if self._key is not None:
            self._places.append(self._key)
            self._key = None

    def _known(self) -> Iterator[tuple[int, VideoFrame]]:
        while self._frames and self._places:
            frame, (time, place) = self._frames.popleft(), self._places.popleft()
            if frame.pts != time or not frame.key_frame or frame.is_corrupt:
                raise Unsure
            yield place, frame
