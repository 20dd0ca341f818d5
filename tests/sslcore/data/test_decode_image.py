"""Encoded bytes to upright 8-bit RGB."""

import ast
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torchvision.transforms as transforms
from PIL import Image, ImageCms, features

from sslcore.data import decode as decode_module
from sslcore.data.decode import ImageError, decode_image, decode_resized

Encode = Callable[..., bytes]
CORNERS = np.array(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]], [[0, 0, 0], [9, 9, 9]]], np.uint8
)


def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> npt.NDArray[np.uint8]:
    image = decode_image(data)
    assert image.mode == "RGB"
    return np.asarray(image)


# Rotations and mirrorings written out with numpy; https://www.media.mit.edu/pia/Research/deepview/exif.html
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(CORNERS), exif=exif)
    np.testing.assert_array_equal(decoded(data), UPRIGHT[orientation](CORNERS))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_leaves_the_image_as_it_is() -> None:
    data = encode(Image.fromarray(CORNERS), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    np.testing.assert_array_equal(decoded(data), CORNERS)


def test_transparency_is_laid_over_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = [0, 51, 255]  # 51 of 255 is a fifth
    expected = [[255, 255, 255], [244, 204, 204], [200, 0, 0]]
    np.testing.assert_array_equal(decoded(encode(Image.fromarray(rgba)))[0], expected)


def test_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(decoded(encode(image, transparency=0))[0], [[255, 255, 255], [40, 50, 60]])


def test_grey_with_a_transparent_grey_value_is_laid_over_white() -> None:
    data = encode(Image.fromarray(np.array([[7, 80]], np.uint8)), transparency=7)
    np.testing.assert_array_equal(decoded(data)[0, :, 0], [255, 80])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_is_scaled_not_clipped(format: str) -> None:
    values = np.array([[0, 257, 300, 256 * 128, 65535]], np.uint16)
    pixels = decoded(encode(Image.fromarray(values), format))
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 1, 1, 128, 255])  # value / 257, rounded


def test_16_bit_portable_grey_map_is_scaled() -> None:
    values = np.array([0, 1000, 65535], ">u2")
    assert decoded(b"P5 3 1 65535\n" + values.tobytes())[0, :, 1].tolist() == [0, 4, 255]


def tiff_of_integers(values: list[int], order: str, bits: int) -> bytes:
    """A grey TIFF of one row, written by hand: Pillow writes no big-endian ones."""
    mark, size = {"<": b"II*\0", ">": b"MM\0*"}[order], bits // 8
    tags = [(256, len(values)), (257, 1), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1)]
    tags.append((279, size * len(values)))
    bytes_order: Literal["little", "big"] = "little" if order == "<" else "big"
    pixels = b"".join(value.to_bytes(size, bytes_order) for value in values)
    pixels += bytes(len(pixels) % 2)
    entries = b"".join(struct.pack(f"{order}HHLL", tag, 4, 1, value) for tag, value in tags)
    return b"".join(
        [mark, struct.pack(f"{order}L", 8 + len(pixels)), pixels, struct.pack(f"{order}H", len(tags))]
        + [entries, bytes(4)]
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_in_either_byte_order_are_scaled(order: str) -> None:
    data = tiff_of_integers([0, 300, 32896, 65535], order, 16)
    assert decoded(data)[0, :, 1].tolist() == [0, 1, 128, 255]


def test_32_bit_integers_are_scaled_by_65535_where_they_fit_and_else_by_their_largest() -> None:
    small = Image.fromarray(np.array([[0, 257, 65535]], np.int32))
    large = Image.fromarray(np.array([[0, 500_000, 2_000_000]], np.int32))
    signed = Image.fromarray(np.array([[-1000, 0, 3000]], np.int32))
    assert [decoded(encode(each, "TIFF"))[0, :, 0].tolist() for each in (small, large, signed)] == [
        [0, 1, 255],
        [0, 64, 255],
        [0, 64, 255],
    ]


def test_the_first_page_of_a_tiff_is_taken() -> None:
    pages = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert decoded(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read(encoded: Encode) -> None:
    pixels = decoded(encoded(3, format="AVIF", quality=95)).astype(int)
    assert np.abs(pixels - decoded(encoded(3)).astype(int)).mean() < 8  # colour at half the resolution
    with pytest.raises(ImageError):
        decode_image(encoded(3, format="AVIF")[: len(encoded(3, format="AVIF")) // 2])


def test_a_colour_profile_is_left_out(encoded: Encode) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    np.testing.assert_array_equal(decoded(encoded(1, icc_profile=profile)), decoded(encoded(1)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([np.nan, 0.2, 1.0], [0, 51, 255]),
    ],
)
def test_float_is_scaled_by_its_range(values: list[float], expected: list[int]) -> None:
    data = encode(Image.fromarray(np.array([values], np.float32)), "TIFF")
    assert decoded(data)[0, :, 2].tolist() == expected


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    red = decoded(encode(image, "JPEG", quality=95))[8, 8].astype(int)
    assert abs(red - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "YCbCr", "LAB", "I", "F"])
def test_every_mode_becomes_rgb_of_the_same_size(mode: str, encoded: Encode) -> None:
    source = decode_image(encoded(3)).convert("L" if mode in "IF" else "RGB")
    image = Image.new("LAB", source.size) if mode == "LAB" else source.convert(mode)
    assert decoded(encode(image, "TIFF")).shape == (16, 24, 3)


def test_animation_gives_its_first_frame() -> None:
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    data = encode(first, "GIF", save_all=True, append_images=[second])
    assert decoded(data)[0, 0].tolist() == [255, 0, 0]


FORMATS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("BMP", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("PPM", {}),
]


@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF")
@pytest.mark.parametrize(("format", "options"), FORMATS)
def test_truncated_files_are_found(format: str, options: dict[str, object], encoded: Encode) -> None:
    data = encoded(1, format=format, width=60, height=50, **options)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
        with pytest.raises(ImageError) as caught:
            decode_image(data[: int(len(data) * share)])
        assert caught.value.reason in ("truncated", "unsupported_codec" if format == "TIFF" else "truncated")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"\0\1\2\3" * 50, "no image format"),
        (b"These are words.\n", "text"),
        (b"<!DOCTYPE html><p>404", "HTML"),
        (b"\0\0\0\x20ftypisom" + bytes(90), "MP4"),
        (b"PK\x03\x04" + bytes(90), "ZIP"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, detail: str) -> None:
    with pytest.raises(ImageError, match=detail) as caught:
        decode_image(data)
    assert caught.value.reason == "not_an_image"


def test_details_do_not_vary_between_runs(encoded: Encode) -> None:
    for data in (b"", b"abc", encoded(0, format="JPEG")[:300], encoded(0)[:90]):
        details = set()
        for _ in range(3):
            with pytest.raises(ImageError) as caught:
                decode_image(bytes(data))
            details.add(caught.value.detail)
        assert len(details) == 1
        assert "0x" not in details.pop()


@pytest.mark.parametrize(("width", "height"), [(24, 16), (16, 24), (33, 33), (50, 31), (8, 8), (7, 40)])
def test_resized_equals_torchvision(width: int, height: int, encoded: Encode) -> None:
    data = encoded(2, width=width, height=height)
    expected = transforms.Compose([transforms.Resize(12), transforms.CenterCrop(12)])(decode_image(data))
    np.testing.assert_array_equal(np.asarray(decode_resized(data, 12)), np.asarray(expected))


def test_reduced_jpeg_is_close_to_the_full_one(encoded: Encode) -> None:
    data = encoded(5, format="JPEG", width=400, height=300, quality=95)
    full = transforms.Compose([transforms.Resize(32), transforms.CenterCrop(32)])(decode_image(data))
    difference = np.abs(np.asarray(decode_resized(data, 32), int) - np.asarray(full, int))
    assert difference.mean() < 1.0
    assert difference.max() <= 8


def test_pillows_pixel_limit_is_left_as_it_was(encoded: Encode) -> None:
    before = Image.MAX_IMAGE_PIXELS
    decode_image(encoded())
    assert before == Image.MAX_IMAGE_PIXELS


def test_decode_imports_nothing_of_sslcore() -> None:
    tree = ast.parse(Path(decode_module.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not any(str(module).startswith("sslcore") for module in modules)
