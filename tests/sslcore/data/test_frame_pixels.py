"""One converter for many frames gives the pixels that a new one for each frame gives."""

import av
import numpy as np
import pytest

from sslcore.data.frame_pixels import FramePixels

KINDS = [
    ("yuv420p", 64, 48),
    ("yuv444p", 64, 48),
    ("yuvj420p", 50, 34),
    ("yuv420p10le", 64, 48),
    ("gray", 30, 20),
]


def frames() -> list[av.VideoFrame]:
    found = []
    for number in range(40):
        kind, width, height = KINDS[number // 3 % len(KINDS)]
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=kind)
        frame.colorspace, frame.color_range = (1, 5, 9)[number % 3], (0, 1, 2)[number % 2]
        found.append(frame)
    return found


@pytest.mark.parametrize("order", [1, -1])
def test_pixels_are_those_of_a_new_converter(order: int) -> None:
    convert = FramePixels()
    for frame in frames()[::order]:
        pixels = convert(frame)
        assert np.array_equal(pixels, frame.to_ndarray(format="rgb24"))


def test_pixels_of_one_frame_outlive_the_next() -> None:
    convert = FramePixels()
    first, second = frames()[:2]
    kept = convert(first)
    before = kept.copy()
    convert(second)
    assert np.array_equal(kept, before)
