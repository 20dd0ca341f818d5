"""Squares for training: encoded bytes or raw pixels to uint8 [3, S, S], resized by torch.

The same as `sslcore.data.decode.decode_resized` (shorter side to S, antialiased bilinear, centre crop) except
for rounding: torch's and Pillow's antialiased bilinear differ by at most one level of 255. Torch's takes a
quarter of the time, and reads Pillow's pixels where they are (four bytes each), without a copy. A JPEG that
needs no more than decoding goes to libjpeg through simplejpeg, if that is installed: the same pixels, without
Pillow's share of the time, which for small images is most of it, and without holding Python's lock.
"""

import ctypes

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from sslcore.data.decode import finish_image, open_image

try:
    import simplejpeg
except ImportError:  # Pillow does it too
    simplejpeg = None

__all__ = ["square_of_encoded", "square_of_pixels"]


def square_of_encoded(data: bytes, size: int) -> Tensor:
    """Decode to uint8 [3, size, size].

    Raises:
        ImageError: If the bytes are no image, stop early or are damaged.
    """
    pixels = _plain_jpeg(data, size)
    if pixels is not None:
        return square_of_pixels(pixels, size)
    image = open_image(data)
    if image.format == "JPEG":
        image.draft(None, (2 * size, 2 * size))
    return _square_of_image(finish_image(image, data), size)


def _plain_jpeg(data: bytes, size: int) -> Tensor | None:
    """Decode a JPEG to uint8 [3, H, W]; ``None`` if something else is needed, or it is broken.

    Something else: turning it upright (by Exif or XMP), other colours than usual, or a size at which
    libjpeg decodes less than all of it.
    """
    if simplejpeg is None or data[:2] != b"\xff\xd8" or b"Exif" in data or b"Orientation" in data:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in ("YCbCr", "Gray") or min(height, width) >= 4 * size:
            return None
        return torch.from_numpy(simplejpeg.decode_jpeg(data, "RGB")).permute(2, 0, 1)
    except ValueError:  # Pillow says what is wrong with it
        return None


def _square_of_image(image: Image.Image, size: int) -> Tensor:
    try:
        buffer = pa.array(image).flatten().buffers()[1]
    except (AttributeError, TypeError, ValueError, pa.ArrowException):  # Pillow < 11.2, or a very large image
        return square_of_pixels(torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1), size)
    # By address, since torch warns of memory that is read only; nothing is written, and `buffer` outlives it.
    pixels = np.ctypeslib.as_array((ctypes.c_uint8 * buffer.size).from_address(buffer.address))
    four = torch.from_numpy(pixels.reshape(image.height, image.width, 4)).permute(2, 0, 1)
    return square_of_pixels(four, size)[:3].clone()


def square_of_pixels(pixels: Tensor, size: int) -> Tensor:
    """Resize the shorter side of uint8 [C, H, W] to ``size`` and cut out the centre: [C, size, size]."""
    height, width = pixels.shape[1:]
    if width <= height:
        width, height = size, int(size * height / width)
    else:
        width, height = int(size * width / height), size
    if pixels.shape[1:] != (height, width):
        pixels = interpolate(pixels[None], (height, width), mode="bilinear", antialias=True)[0]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[:, top : top + size, left : left + size]
