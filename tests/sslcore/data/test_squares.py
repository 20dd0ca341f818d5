"""Squares by torch's kernels are Pillow's but for rounding; raw pixels are copied, not decoded."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from sslcore.data import SampleDataset, image_loader, squares
from sslcore.data.decode import ImageError, decode_image, decode_resized
from sslcore.data.squares import square_of_encoded

Write = Callable[..., Path]


def turned(data: bytes, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def turned_by_xmp(data: bytes) -> bytes:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).save(buffer, "JPEG", xmp=xmp)
    return buffer.getvalue()


def grey(data: bytes, mode: str) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("size", [8, 20, 31])
@pytest.mark.parametrize("shape", [(50, 37), (37, 50), (40, 40), (200, 141)])
def test_they_differ_from_pillow_by_a_level_at_most(
    shape: tuple[int, int], size: int, encoded: Callable[..., bytes]
) -> None:
    width, height = shape
    jpeg = encoded(1, format="JPEG", width=width, height=height)
    png = encoded(2, width=width, height=height)
    for data in (
        jpeg,
        png,
        turned(jpeg, 6),
        turned_by_xmp(jpeg),
        turned(jpeg, 1),
        grey(jpeg, "L"),
        grey(jpeg, "CMYK"),
    ):
        expected = np.asarray(decode_resized(data, size)).astype(int)
        found = square_of_encoded(data, size).permute(1, 2, 0).numpy().astype(int)
        assert found.shape == expected.shape == (size, size, 3)
        assert abs(found - expected).max() <= 1
        assert abs(found - expected).mean() < 0.2


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_jpeg_gives_the_same_pixels_with_simplejpeg_and_without(
    mode: str, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = grey(encoded(1, format="JPEG", width=50, height=37), mode)
    assert squares._plain_jpeg(data, 37) is not None
    assert squares._plain_jpeg(turned(data, 6), 37) is None
    assert squares._plain_jpeg(data, 9) is None  # libjpeg decodes a half of it
    found = square_of_encoded(data, 37)
    monkeypatch.setattr(squares, "simplejpeg", None)
    torch.testing.assert_close(square_of_encoded(data, 37), found, rtol=0, atol=0)


def test_broken_bytes_are_named(encoded: Callable[..., bytes]) -> None:
    jpeg = encoded(1, format="JPEG", width=64, height=64)
    with pytest.raises(ImageError, match="truncated"):
        square_of_encoded(jpeg[: len(jpeg) // 2], 60)


def test_images_that_pillow_does_not_export_are_copied(
    encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(3, width=50, height=37)
    expected = square_of_encoded(data, 16)

    def refuse(image: object) -> None:
        raise ValueError("two blocks")

    monkeypatch.setattr(pa, "array", refuse)
    torch.testing.assert_close(square_of_encoded(data, 16), expected, rtol=0, atol=0)


@pytest.fixture
def dataset(tmp_path: Path, write_image: Write, run_ingest: Callable[..., object]) -> Callable[..., Path]:
    """Images of several sizes, in a store of the given format with a short side of 20."""
    for seed in range(24):
        size: dict[str, Any] = {"width": 40 - seed % 3, "height": 30} if seed % 4 else {"width": 12}
        write_image(tmp_path / f"source/{seed:02d}.png", seed, **size)

    def ingested(format: str) -> Path:
        run_ingest("source", tmp_path / format, store={"format": format, "short_side": 20})
        return tmp_path / format

    return ingested


@pytest.mark.parametrize("size", [20, 16])
@pytest.mark.parametrize("fast", [False, True])
def test_raw_pixels_give_the_squares_of_a_plain_resize(
    size: int, fast: bool, dataset: Callable[..., Path]
) -> None:
    samples = SampleDataset(dataset("uint8"), image_size=size, fast=fast)
    images, numbers = samples.batch([23, 0, 5, 5, -2])
    assert numbers.tolist() == [23, 0, 5, 5, 22]
    for image, number in zip(images, numbers.tolist(), strict=True):
        stored = Image.open(io.BytesIO(samples.encoded(number)))
        expected = np.asarray(decode_resized(samples.encoded(number), size)).astype(int)
        assert min(stored.size) == (20 if number % 4 else 12)
        assert abs(image.permute(1, 2, 0).numpy().astype(int) - expected).max() <= fast


def test_raw_pixels_keep_their_own_size_without_an_image_size(dataset: Callable[..., Path]) -> None:
    samples = SampleDataset(dataset("uint8"))
    assert samples.is_raw
    assert {tuple(image.shape) for image, _ in samples} == {  # type: ignore[attr-defined]
        (3, 20, 26),
        (3, 20, 25),
        (3, 16, 12),
    }
    image, _ = samples[3]
    expected = decode_image(samples.encoded(3))
    np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), np.asarray(expected))


@pytest.mark.parametrize("format", ["jpeg", "uint8"])
def test_threads_give_the_same_batches(format: str, dataset: Callable[..., Path]) -> None:
    folder = dataset(format)
    one, many = (SampleDataset(folder, image_size=16, fast=True, num_threads=n) for n in (1, 4))
    order = np.random.default_rng(0).permutation(24)
    for _ in range(5):
        torch.testing.assert_close(many.batch(order)[0], one.batch(order)[0], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
@pytest.mark.parametrize("format", ["original", "uint8"])
def test_workers_hand_over_the_same_batches(format: str, dataset: Callable[..., Path]) -> None:
    samples = SampleDataset(dataset(format), image_size=20, fast=True)
    loader = image_loader(samples, batch_size=5, num_workers=2)
    batches = list(loader)  # all alive at once
    for images, numbers in batches:
        assert images.untyped_storage().is_shared()
        assert images.is_contiguous()
        torch.testing.assert_close(images, samples.batch(numbers.numpy())[0], rtol=0, atol=0)
    plain: DataLoader[Any] = DataLoader(samples, batch_size=5)
    for (images, _), (expected, _) in zip(plain, batches, strict=True):
        torch.testing.assert_close(images, expected, rtol=0, atol=0)


def test_the_manifest_is_not_read_before_it_is_asked_for(dataset: Callable[..., Path]) -> None:
    samples = SampleDataset(dataset("original"), splits=("train", "val"), image_size=8)
    samples.batch([0, 1])
    assert "manifest" not in vars(samples)
    assert len(samples.manifest) == len(samples)
    assert set(samples.manifest["split"]) <= {"train", "val"}


def test_threads_must_be_positive(dataset: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="num_threads must be >= 1, got 0"):
        SampleDataset(dataset("original"), num_threads=0)
