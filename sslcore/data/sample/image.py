"""The bytes of one image file of the sample: its scene, its shot of the burst, its encoding."""

import io

import numpy as np
from PIL import Image

from sslcore.data.sample.plan import ImageFile, generator_for
from sslcore.data.sample.scene import Pixels, draw_scene, expose

__all__ = ["draw_image", "encode"]

SHIFTS = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]


def draw_image(file: ImageFile, *, seed: int, image_size: int) -> bytes:
    """Draw one image file; a further shot of a burst is the scene moved and brightened a little.

    Args:
        file: Which one.
        seed: Of the sample.
        image_size: Shorter side in pixels; one side may be up to a fifth longer.

    Returns:
        A JPEG or PNG, as the file's name says.
    """
    generator = generator_for(seed, "scene", file.scene)
    width, height = _draw_size(generator, image_size)
    pixels = draw_scene(file.shape, generator=generator, width=width, height=height)
    if file.shot:
        pixels = _next_shot(pixels, generator_for(seed, "shot", file.scene, file.shot))
    return encode(pixels, ending=file.name.rpartition(".")[2], quality=int(generator.integers(85, 96)))


def encode(pixels: Pixels, *, ending: str, quality: int) -> bytes:
    """Encode a picture.

    Args:
        pixels: RGB [H, W, 3].
        ending: ``jpg`` or ``png``.
        quality: Of a JPEG, 1 to 95.
    """
    stream = io.BytesIO()
    if ending == "jpg":
        Image.fromarray(pixels).save(stream, format="JPEG", quality=quality)
    else:
        Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def _draw_size(generator: np.random.Generator, image_size: int) -> tuple[int, int]:
    """Draw width and height: half of the images are square, a quarter wide, a quarter high."""
    longer = image_size + int(generator.integers(1, image_size // 5 + 1))
    form = int(generator.integers(4))
    return (longer if form == 2 else image_size, longer if form == 3 else image_size)


def _next_shot(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Shift a picture by one pixel, straight or askew, and change its brightness by at most 4 %."""
    dx, dy = SHIFTS[int(generator.integers(len(SHIFTS)))]
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width, _ = pixels.shape
    moved = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
    return expose(moved / 255 * generator.uniform(0.96, 1.04))
