"""What an image looks like in five numbers: sharpness, brightness, contrast and a perceptual hash.

Needs Pillow and numpy only. Everything is summed in integers, so that an image has the same numbers on every
machine and for any number of workers.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["Measures", "measure"]

_MEASURED_SIDE = 128
_THUMBNAIL = 32
_NUM_BITS = 64
_ONE = 1 << 12  # of the fixed-point cosines
_LEAST_WAVE = _THUMBNAIL * _THUMBNAIL // 4
_GREYS = np.arange(256, dtype=np.int64)

# The 64 lowest frequencies of the thumbnail without the constant, by their sum and then by their row.
_FREQUENCIES = sorted(
    ((row, column) for row in range(11) for column in range(11) if 0 < row + column < 11), key=sum
)[:_NUM_BITS]
_ROWS = np.array([row for row, _ in _FREQUENCIES])
_COLUMNS = np.array([column for _, column in _FREQUENCIES])
_COSINES = np.array(
    [
        [round(_ONE * math.cos(math.pi * (2 * place + 1) * wave / (2 * _THUMBNAIL))) for place in range(32)]
        for wave in range(11)
    ],
    dtype=np.int64,
)


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of an image.

    Attributes:
        sharpness: Variance of the Laplacian of its luma (0 to 255): low where it is blurred or empty.
        brightness: Mean luma, 0 to 1.
        contrast: Standard deviation of the luma, 0 to 0.5.
        phash: 64 bits that stay about the same when the image is scaled, compressed or brightened.
    """

    sharpness: float
    brightness: float
    contrast: float
    phash: int


def measure(image: Image.Image) -> Measures:
    """Measure an upright RGB image.

    Its luma (0.299 R + 0.587 G + 0.114 B) is first reduced by a whole number to a shorter side of 128 to 255
    pixels, if it is larger: cheap, and images of different resolutions can be compared.
    """
    luma = image.convert("L")
    factor = min(luma.size) // _MEASURED_SIDE
    if factor > 1:
        luma = luma.reduce(factor)
    counts = np.array(luma.histogram(), dtype=np.int64)
    total = luma.width * luma.height
    first, second = int(counts @ _GREYS), int(counts @ _GREYS**2)
    return Measures(
        sharpness=_sharpness(np.asarray(luma, dtype=np.int16)),
        brightness=first / total / 255,
        contrast=math.sqrt(total * second - first * first) / total / 255,
        phash=_perceptual_hash(luma),
    )


def _sharpness(luma: npt.NDArray[np.int16]) -> float:
    """Return the variance of the Laplacian with four neighbours, inside the border."""
    if min(luma.shape) < 3:
        return 0.0
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    laplacian -= 4 * luma[1:-1, 1:-1]
    values = laplacian.ravel().astype(np.float64)  # whole numbers below 2**53: the sums are exact
    first, second, total = int(values.sum()), int(values @ values), len(values)
    return (total * second - first * first) / (total * total)


def _perceptual_hash(luma: Image.Image) -> int:
    """Return which of the lowest frequencies of a 32 x 32 thumbnail are above their median."""
    thumbnail = np.asarray(luma.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), dtype=np.int64)
    waves = (_COSINES @ thumbnail @ _COSINES.T)[_ROWS, _COLUMNS]
    # A wave of less than one grey level is rounding or compression: what is flat has no bits.
    waves[np.abs(waves) < _LEAST_WAVE * _ONE * _ONE] = 0
    bits = waves > max(0.0, float(np.median(waves)))
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
