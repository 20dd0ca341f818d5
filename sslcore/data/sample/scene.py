"""One image of the sample: a shape over a background, where everything but the shape is nuisance."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sslcore.data.sample.shapes import SUPERSAMPLING, draw_mask, random_placement

__all__ = ["Pixels", "draw_background", "draw_scene", "expose", "paint", "random_colours"]

Field = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.float64]

LUMINANCE = np.array([0.299, 0.587, 0.114])
CONTRAST = (0.30, 0.60)
"""How much lighter (luminance, 0 to 1) a shape is than its background. Always lighter: which of the two is
lighter would be a stronger mark of an image than its shape is, and contrastive learning would take that."""


def draw_scene(shape: str, *, generator: np.random.Generator, width: int, height: int) -> Pixels:
    """Draw a shape at a random place over a random background with clutter, light and noise.

    Args:
        shape: One of ``SHAPES``.
        generator: Where all randomness comes from.
        width: In pixels.
        height: In pixels.

    Returns:
        RGB [height, width, 3].
    """
    ground, fill = random_colours(generator)
    image = draw_background(ground, generator=generator, width=width, height=height)
    image = _add_clutter(image, generator)
    mask = draw_mask(
        shape, random_placement(generator, width=width, height=height), width=width, height=height
    )
    image = paint(image, mask, fill, generator=generator)
    return _light(image, generator)


def random_colours(generator: np.random.Generator) -> tuple[Colour, Colour]:
    """Draw the colours of background and shape: any two, the shape the lighter one (RGB in 0 to 1)."""
    while True:
        ground = generator.uniform(0.05, 0.95, size=3)
        tint = generator.uniform(-0.35, 0.35, size=3)
        fill = ground + generator.uniform(*CONTRAST) + tint - tint @ LUMINANCE
        if fill.min() >= 0 and fill.max() <= 1:
            return ground, fill


def draw_background(colour: Colour, *, generator: np.random.Generator, width: int, height: int) -> Field:
    """Draw a background: a gradient, stripes, blobs or checks between two near colours.

    Args:
        colour: RGB in 0 to 1, the middle of the two colours.
        generator: Where randomness comes from.
        width: In pixels.
        height: In pixels.

    Returns:
        RGB [height, width, 3], about 0 to 1.
    """
    pattern = (_gradient, _stripes, _blobs, _checks)[int(generator.integers(4))]
    field = pattern(generator, width, height)
    amplitude = generator.uniform(0.015, 0.045) + generator.uniform(-0.02, 0.02, size=3)
    return (colour + field[..., None] * amplitude).astype(np.float32)


def paint(image: Field, mask: Field, colour: Colour, *, generator: np.random.Generator) -> Field:
    """Fill a mask with a colour that fades a little from one side to the other.

    Args:
        image: RGB [H, W, 3].
        mask: Coverage [H, W] in 0 to 1.
        colour: RGB in 0 to 1.
        generator: Where randomness comes from.
    """
    height, width = mask.shape
    shade = _gradient(generator, width, height)[..., None] * generator.uniform(0.0, 0.10)
    return (image + mask[..., None] * (colour + shade - image)).astype(np.float32)


def expose(image: npt.NDArray[np.floating[Any]]) -> Pixels:
    """Clip a picture of 0 to 1 and round it to bytes."""
    return np.asarray(np.round(np.clip(image, 0, 1) * 255), dtype=np.uint8)


def _axis(generator: np.random.Generator, width: int, height: int) -> Field:
    """Return the coordinate along a random direction, [H, W], about -1 to 1."""
    angle = generator.uniform(0, 2 * np.pi)
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None, :]
    return np.asarray(np.cos(angle) * x + np.sin(angle) * y, dtype=np.float32)


def _gradient(generator: np.random.Generator, width: int, height: int) -> Field:
    return _axis(generator, width, height)


def _stripes(generator: np.random.Generator, width: int, height: int) -> Field:
    frequency, phase = generator.uniform(4, 12), generator.uniform(0, 2 * np.pi)
    return np.asarray(np.sin(frequency * _axis(generator, width, height) + phase), dtype=np.float32)


def _blobs(generator: np.random.Generator, width: int, height: int) -> Field:
    coarse = generator.uniform(-1.5, 1.5, size=(6, 6)).astype(np.float32)
    fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(fine, dtype=np.float32)


def _checks(generator: np.random.Generator, width: int, height: int) -> Field:
    first, second = _stripes(generator, width, height), _stripes(generator, width, height)
    return np.asarray(np.tanh(4 * first * second), dtype=np.float32)


def _add_clutter(image: Field, generator: np.random.Generator) -> Field:
    """Strew small dots and strokes of any colour, which the shape may partly cover."""
    height, width, _ = image.shape
    side = min(width, height)
    for _ in range(int(generator.integers(0, 4))):
        canvas = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING), 0)
        pen = ImageDraw.Draw(canvas)
        x, y = (generator.uniform(0, 1, size=2) * (width, height) * SUPERSAMPLING).tolist()
        reach = float(side * SUPERSAMPLING * generator.uniform(0.02, 0.06))
        if generator.random() < 0.5:
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
        else:
            dx, dy = generator.uniform(-0.2, 0.2, size=2) * side * SUPERSAMPLING
            pen.line((x, y, x + float(dx), y + float(dy)), fill=255, width=max(1, round(reach)))
        mask = np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float32) * np.float32(1 / 255)
        mask *= np.float32(generator.uniform(0.3, 0.8))
        image = paint(image, mask, generator.uniform(0, 1, size=3), generator=generator)
    return image


def _light(image: Field, generator: np.random.Generator) -> Pixels:
    """Apply a lamp from one side, an exposure and the sensor's noise."""
    height, width, _ = image.shape
    lamp = 1 + generator.uniform(0.0, 0.2) * _axis(generator, width, height)
    exposure = generator.uniform(0.8, 1.15)
    noise = generator.normal(0, generator.uniform(0.012, 0.02), size=image.shape)
    return expose(image * lamp[..., None] * exposure + noise)
