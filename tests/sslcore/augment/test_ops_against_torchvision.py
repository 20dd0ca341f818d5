"""Each batched operation, sample by sample, against torchvision's own with the same parameters."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as oracle

from sslcore.augment.blur import gaussian_blur
from sslcore.augment.colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    greyscale,
)
from sslcore.augment.crop import resized_crop


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 23, 31, generator=generator)
    images[4] = images[4].mean(0)  # grey: no hue
    images[5] = 0
    return images


@pytest.mark.parametrize("size", [8, 16, 40])
def test_resized_crop_down_and_up(images: Tensor, size: int) -> None:
    boxes = torch.tensor(
        [[0, 0, 23, 31], [3, 5, 10, 12], [22, 30, 1, 1], [0, 20, 23, 11], [5, 0, 18, 31], [1, 1, 7, 29]]
    )
    ours = resized_crop(images, boxes, size)
    for image, box, made in zip(images, boxes.tolist(), ours, strict=True):
        expected = oracle.resized_crop(image, *box, [size, size], InterpolationMode.BILINEAR, antialias=True)
        torch.testing.assert_close(made, expected, atol=2e-6, rtol=0)


def test_a_flip_mirrors_the_crop(images: Tensor) -> None:
    boxes = torch.tensor([[2, 3, 15, 20]] * 6)
    flips = torch.tensor([True, False] * 3)
    plain, flipped = resized_crop(images, boxes, 12), resized_crop(images, boxes, 12, flips)
    for flip, before, after in zip(flips.tolist(), plain, flipped, strict=True):
        torch.testing.assert_close(after, oracle.horizontal_flip(before) if flip else before)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (adjust_brightness, oracle.adjust_brightness),
        (adjust_contrast, oracle.adjust_contrast),
        (adjust_saturation, oracle.adjust_saturation),
    ],
)
def test_brightness_contrast_saturation(images: Tensor, ours: object, theirs: object) -> None:
    factors = torch.tensor([0.0, 0.2, 0.7, 1.0, 1.3, 1.8])
    made = ours(images, factors)  # type: ignore[operator]
    for image, factor, each in zip(images, factors.tolist(), made, strict=True):
        torch.testing.assert_close(each, theirs(image, factor), atol=2e-6, rtol=0)  # type: ignore[operator]


def test_hue(images: Tensor) -> None:
    shifts = torch.tensor([-0.5, -0.2, 0.0, 0.1, 0.37, 0.5])
    for image, shift, made in zip(images, shifts.tolist(), adjust_hue(images, shifts), strict=True):
        torch.testing.assert_close(made, oracle.adjust_hue(image, shift), atol=2e-5, rtol=0)


def test_greyscale(images: Tensor) -> None:
    for image, made in zip(images, greyscale(images), strict=True):
        torch.testing.assert_close(made, oracle.rgb_to_grayscale(image), atol=2e-6, rtol=0)


def test_blur_with_the_whole_kernel(images: Tensor) -> None:
    # torchvision cuts its kernel at its size; 45 is the largest for 23 pixels, and cuts nothing that counts.
    sigmas = torch.tensor([0.1, 0.4, 0.8, 1.2, 1.7, 2.0])
    for image, sigma, made in zip(images, sigmas.tolist(), gaussian_blur(images, sigmas), strict=True):
        expected = oracle.gaussian_blur(image, [45, 45], [sigma, sigma])
        torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)
