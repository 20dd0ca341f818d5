"""Decoded frames as upright RGB pixels.

``VideoFrame.to_ndarray`` makes a converter for every frame, with threads of its own, which takes as long as
decoding a small frame does. Here one converter serves as long as frames are alike, without threads: so it is
safe to fork beside it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

__all__ = ["FramePixels"]


class FramePixels:
    """Converts frames, each to the pixels of ``frame.to_ndarray(format="rgb24")``, turned upright.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._kind: tuple[Any, ...] = ()
        self._converter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """Return the pixels of a frame, uint8 RGB [H, W, 3]."""
        kind = frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range
        if kind != self._kind:  # a converter may keep what it was told of other colours
            self._kind, self._converter = kind, VideoReformatter()
        rgb = self._converter.reformat(frame, format="rgb24", threads=1)
        pixels = rgb.to_ndarray().astype(np.uint8, copy=False)
        turns = round(frame.rotation / 90) % 4  # degrees, counter-clockwise
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
