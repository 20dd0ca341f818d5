"""Sharpness, brightness, contrast and the perceptual hash, against plain loops and numbers by hand."""

import io
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from sslcore.data.measures import measure

Pixels = npt.NDArray[np.uint8]
Picture = Callable[..., Pixels]


def plain(pixels: Pixels) -> tuple[float, float, float]:
    """Sharpness, brightness and contrast of luma [H, W], pixel by pixel."""
    luma = [[int(value) for value in row] for row in pixels]
    height, width = len(luma), len(luma[0])
    flat = [value for row in luma for value in row]
    mean = sum(flat) / len(flat)
    contrast = math.sqrt(sum((value - mean) ** 2 for value in flat) / len(flat))
    edges = [
        luma[y - 1][x] + luma[y + 1][x] + luma[y][x - 1] + luma[y][x + 1] - 4 * luma[y][x]
        for y in range(1, height - 1)
        for x in range(1, width - 1)
    ]
    middle = sum(edges) / len(edges)
    return sum((edge - middle) ** 2 for edge in edges) / len(edges), mean / 255, contrast / 255


@pytest.mark.parametrize(("width", "height"), [(24, 16), (3, 3), (90, 127)])
def test_measures_equal_plain_loops(width: int, height: int, picture: Picture) -> None:
    image = Image.fromarray(picture(1, width, height))
    found = measure(image)
    expected = plain(np.asarray(image.convert("L")))
    assert (found.sharpness, found.brightness, found.contrast) == pytest.approx(expected, rel=1e-9)


def test_numbers_by_hand() -> None:
    pixels = np.zeros((3, 3, 3), np.uint8)
    pixels[1, 1] = 90  # the only inner pixel: the Laplacian is -360 there, and one number has no variance
    found = measure(Image.fromarray(pixels))
    assert (found.sharpness, found.brightness) == (0.0, 90 / 9 / 255)
    assert found.contrast == pytest.approx(math.sqrt(90 * 90 / 9 - 10 * 10) / 255)
    assert measure(Image.new("RGB", (2, 1), "white")).sharpness == 0.0


def test_a_large_image_is_measured_at_a_reduced_size(picture: Picture) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (270, 300), np.uint8)  # half of 270 is over 128
    found = measure(Image.fromarray(pixels).convert("RGB"))
    halved = (pixels.astype(int).reshape(135, 2, 150, 2).sum((1, 3)) + 2) // 4  # the mean of 2 x 2, rounded
    assert found.sharpness == pytest.approx(plain(halved.astype(np.uint8))[0], rel=1e-9)


def test_blur_lowers_sharpness_and_shade_lowers_brightness_and_contrast(picture: Picture) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    image = Image.blend(Image.fromarray(picture(3, 64, 64)), Image.fromarray(noise), 0.3)
    blurred = image.filter(ImageFilter.BoxBlur(2))
    shaded = image.point(lambda value: value // 2)
    assert measure(blurred).sharpness < measure(image).sharpness / 2
    assert measure(shaded).brightness == pytest.approx(measure(image).brightness / 2, abs=0.003)
    assert measure(shaded).contrast == pytest.approx(measure(image).contrast / 2, rel=0.02)


def plain_hash(image: Image.Image) -> int:
    """The 64 lowest frequencies of a floating-point cosine transform, each beside their median."""
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), float)
    wave = [[math.cos(math.pi * (2 * x + 1) * k / 64) for x in range(32)] for k in range(32)]
    basis = np.array(wave)
    found = basis @ small @ basis.T
    places = [(row, total - row) for total in range(1, 11) for row in range(total + 1)][:64]
    values = [float(found[place]) if abs(found[place]) >= 256 else 0.0 for place in places]
    middle = max(0.0, float(np.median(values)))
    return int("".join("1" if value > middle else "0" for value in values), 2)


def test_the_hash_is_that_of_a_plain_cosine_transform(picture: Picture) -> None:
    for seed in range(8):
        image = Image.fromarray(picture(seed, 96, 80))
        assert (measure(image).phash ^ plain_hash(image)).bit_count() <= 1  # fixed point beside float


def test_the_hash_survives_scaling_compression_and_brightening(picture: Picture) -> None:
    for seed in range(8):
        image = Image.fromarray(picture(seed, 400, 300))
        buffer = io.BytesIO()
        image.resize((200, 150)).point(lambda value: int(value * 0.9)).save(buffer, "JPEG", quality=50)
        assert (measure(image).phash ^ measure(Image.open(buffer)).phash).bit_count() <= 4


def test_different_pictures_have_different_hashes(picture: Picture) -> None:
    hashes = [measure(Image.fromarray(picture(seed, 64, 48))).phash for seed in range(30)]
    assert min((a ^ b).bit_count() for place, a in enumerate(hashes) for b in hashes[:place]) > 4


def test_a_flat_image_has_no_bits() -> None:
    assert {measure(Image.new("RGB", (50, 40), colour)).phash for colour in ("black", "grey", "red")} == {0}
