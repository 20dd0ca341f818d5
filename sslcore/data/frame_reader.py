"""Frame N of a video by random access: the same pixels as frame N of a plain decode from the start."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from sslcore.data.frame_index import NO_TIME, FrameIndex, open_stream
from sslcore.data.frame_pixels import FramePixels
from sslcore.data.video import _NO_OTHER_FILES, VideoError

__all__ = ["FrameReader"]

# Containers of a parent process. FFmpeg joins its threads when it frees one, and after a fork there are none.
_INHERITED: list[tuple[object, ...]] = []
WORTH_A_SEEK = 16  # frames: decoding fewer is quicker than seeking past them


class FrameReader:
    """Keeps one video open. Asking for frames in order decodes each once; otherwise it seeks to a keyframe.

    After a seek a frame is known by its timestamp, and where what comes does not fit the index, the video is
    decoded from its start and counted. Not for several threads at once.

    Args:
        path: The file.
        index: Of its frames.
    """

    def __init__(self, path: Path, index: FrameIndex) -> None:
        self._file: BinaryIO | None = None
        self._container: InputContainer | None = None
        self._pid = 0
        self._path = path
        self._index = index
        self._frames: Iterator[VideoFrame] = iter(())
        self._next = 0
        self._pixels = FramePixels()
        self.num_decoded = 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next frame opens it again."""
        if self._container is not None and self._pid != os.getpid():
            _INHERITED.append((self._container, self._file, self._frames))
        elif self._container is not None:
            self._container.close()
            assert self._file is not None
            self._file.close()
        self._container = self._file = None
        self._frames = iter(())

    def frame(self, number: int) -> npt.NDArray[np.uint8]:
        """Return a frame, uint8 RGB [H, W, 3], upright.

        Args:
            number: Its place in a plain decode of the video, from 0.

        Raises:
            IndexError: If there is no such frame.
            OSError: If the file cannot be read.
            VideoError: If the frame cannot be decoded.
        """
        if not 0 <= number < len(self._index):
            raise IndexError(f"frame {number} is out of range for {len(self._index)} frames")
        if self._pid != os.getpid():
            self.close()
        try:
            frame = self._onwards(number) or self._from_a_key(number) or self._from_the_start(number)
        except (FFmpegError, ValueError) as error:
            self.close()
            if isinstance(error, VideoError):
                raise
            raise VideoError("broken_video", f"frame {number} cannot be decoded") from error
        if frame is None:
            self.close()
            raise VideoError("broken_video", f"frame {number} cannot be decoded")
        return self._pixels(frame)

    def _onwards(self, number: int) -> VideoFrame | None:
        """Go on from where the video is, unless a keyframe is nearer."""
        if self._container is None or number < self._next:
            return None
        key = self._key_before(number)
        if key is not None and int(np.searchsorted(self._index.times, key)) - self._next > WORTH_A_SEEK:
            return None
        return self._count_to(number)

    def _key_before(self, number: int) -> int | None:
        place = int(np.searchsorted(self._index.keys, self._index.times[number], side="right"))
        return int(self._index.keys[place - 1]) if place else None

    def _from_a_key(self, number: int) -> VideoFrame | None:
        """Seek to the keyframe before, or to one further back if that is missed."""
        time = int(self._index.times[number])
        place = int(np.searchsorted(self._index.keys, time, side="right"))
        for key in self._index.keys[max(0, place - 3) : place][::-1].tolist():
            if key == int(self._index.keys[0]):
                return None  # that is the start
            container = self._opened()
            try:
                container.seek(key, stream=container.streams.video[self._stream], backward=True)
            except FFmpegError:
                return None
            self._frames = self._after_seek(time)
            for frame in self._frames:
                if frame.pts is None or frame.pts > time:
                    break
                if frame.pts == time and not frame.is_corrupt:
                    self._next = number + 1
                    return frame
        return None

    def _from_the_start(self, number: int) -> VideoFrame | None:
        self.close()
        container = self._opened()
        self._frames = container.decode(open_stream(container))
        self._next = 0
        return self._count_to(number)

    def _count_to(self, number: int) -> VideoFrame | None:
        """Decode on to a frame; ``None`` where the stream ends, or a timestamp is not that of the index."""
        for frame in self._frames:
            self.num_decoded += 1
            place, self._next = self._next, self._next + 1
            expected = int(self._index.times[place]) if place < len(self._index) else None
            if expected != (NO_TIME if frame.pts is None else frame.pts):
                return None
            if place == number:
                return frame
        return None

    def _after_seek(self, time: int) -> Iterator[VideoFrame]:
        """Decode from the first packet that the index has as a keyframe not after ``time``."""
        container = self._opened()
        stream = container.streams.video[self._stream]
        keys = set(self._index.keys.tolist())
        begun = False
        for packet in container.demux(stream):
            if not begun and packet.size:
                if not packet.is_keyframe or packet.pts not in keys:
                    continue
                assert packet.pts is not None
                if packet.pts > time:
                    return
                begun = True
            for frame in packet.decode():
                self.num_decoded += 1
                yield frame

    def _opened(self) -> InputContainer:
        if self._container is None:
            self._file, self._pid = self._path.open("rb"), os.getpid()
            self._container = av.open(self._file, "r", metadata_errors="replace", options=_NO_OTHER_FILES)
            stream = open_stream(self._container)
            self._stream = list(self._container.streams.video).index(stream)
        return self._container
