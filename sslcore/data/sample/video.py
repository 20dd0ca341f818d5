"""The sample's short video: a shape that crosses a background."""

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

from sslcore.data.sample.plan import generator_for
from sslcore.data.sample.scene import Pixels, draw_background, expose, paint, random_colours
from sslcore.data.sample.shapes import draw_mask, random_placement

__all__ = ["FRAMES_PER_SECOND", "NUM_FRAMES", "write_video"]

FRAMES_PER_SECOND = 12
NUM_FRAMES = 36
SHAPE = "star"

ENCODER_OPTIONS = {
    "libx264": {"qp": "20", "x264-params": "cpu-independent=1"},
    "mpeg4": {"qscale": "3"},
}
"""A fixed quantizer, since x264's "crf" gave other bytes in every few processes for frames this small (its
macroblock tree does; seen with core 165), and the same instructions whatever the processor."""


def write_video(path: Path, *, seed: int, image_size: int) -> None:
    """Write an mp4 of 3 seconds: H.264 where PyAV's FFmpeg can write it, else MPEG-4.

    One encoder thread, a fixed quantizer and FFmpeg's "bitexact" flags (no version, no time of writing) make
    the bytes the same at every call.

    Args:
        path: Of the file to write.
        seed: Of the sample.
        image_size: The frames are squares with twice this side, in pixels.
    """
    side = 2 * image_size
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        options = {"flags": "+bitexact", **ENCODER_OPTIONS[codec]}
        stream = cast("VideoStream", container.add_stream(codec, rate=FRAMES_PER_SECOND, options=options))
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        stream.codec_context.thread_count = 1
        for pixels in _draw_frames(seed, side):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _draw_frames(seed: int, side: int) -> list[Pixels]:
    """Draw the shape on its way from left to right, bobbing and swaying, before a background at rest."""
    generator = generator_for(seed, "video")
    ground, fill = random_colours(generator)
    background = draw_background(ground, generator=generator, width=side, height=side)
    start = replace(random_placement(generator, width=side, height=side), radius=0.35 * side)
    frames = []
    for index in range(NUM_FRAMES):
        way = index / (NUM_FRAMES - 1)
        centre = (side * (0.25 + 0.5 * way), side * (0.5 + 0.1 * math.sin(2 * math.pi * way)))
        placement = replace(start, centre=centre, rotation=start.rotation + 0.3 * math.sin(4 * math.pi * way))
        mask = draw_mask(SHAPE, placement, width=side, height=side)
        frames.append(expose(paint(background, mask, fill, generator=np.random.default_rng(seed))))
    return frames
