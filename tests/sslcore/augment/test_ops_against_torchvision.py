"""Each batched operation, sample by sample, against torchvision's own with the same parameters."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as oracle

from sslcore.augment.blur import RandomGaussianBlur, gaussian_blur
from sslcore.augment.colour import (
    ColourJitter,
    RandomGreyscale,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    to_luma,
)
from sslcore.augment.crop import resized_crop
from sslcore.augment.erase import erase
from sslcore.augment.hue import adjust_hue
from sslcore.augment.rotate import RandomQuarterTurn, rotate
from sslcore.augment.solarize import solarize

BOXES = torch.tensor(
    [[0, 0, 23, 31], [3, 5, 10, 12], [22, 30, 1, 1], [0, 20, 23, 11], [5, 0, 18, 31], [1, 1, 7, 29]]
)
MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 23, 31, generator=generator)
    images[4] = images[4].mean(0)  # grey: no hue
    images[5] = 0
    return images


def transposed_in_memory(images: Tensor) -> Tensor:
    """Return the same images as the crop leaves them: planes first, columns before rows."""
    return images.permute(1, 0, 3, 2).contiguous().permute(1, 0, 3, 2)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("size", [8, 16, 40])
def test_resized_crop_down_and_up(images: Tensor, size: int, interpolation: str, dense: bool) -> None:
    ours = resized_crop(images, BOXES, size, interpolation=interpolation, dense=dense)
    for image, box, made in zip(images, BOXES.tolist(), ours, strict=True):
        expected = oracle.resized_crop(image, *box, [size, size], MODES[interpolation], antialias=True)
        torch.testing.assert_close(made, expected.clamp(0, 1), atol=3e-6, rtol=0)


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("levels", [False, True])
def test_resized_crop_of_large_images_one_by_one(interpolation: str, levels: bool, kernels: str) -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (3, 2, 90, 70), dtype=torch.uint8, generator=generator)
    images = images if levels else images / 255
    boxes = torch.tensor([[0, 0, 90, 70], [13, 5, 60, 65], [80, 0, 10, 10]])
    flips = torch.tensor([[False, False], [True, False], [True, True]])
    ours = resized_crop(images, boxes, 64, flips, interpolation=interpolation)
    for image, box, sides, made in zip(images, boxes.tolist(), flips.tolist(), ours, strict=True):
        if levels and kernels == "torch":  # whole levels, as torchvision rounds them
            expected = oracle.resized_crop(image, *box, [64, 64], MODES[interpolation], antialias=True) / 255
        else:
            unit = image / 255 if levels else image
            expected = oracle.resized_crop(unit, *box, [64, 64], MODES[interpolation], antialias=True)
        expected = expected.clamp(0, 1).flip([dim for dim, turn in zip((1, 2), sides, strict=True) if turn])
        torch.testing.assert_close(made, expected, atol=3e-6, rtol=0)


def test_large_uint8_crops_are_within_a_level_of_unrounded_ones() -> None:
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (2, 3, 90, 120), dtype=torch.uint8, generator=generator)
    boxes = torch.tensor([[0, 0, 90, 120], [7, 11, 40, 50]])
    levels, unrounded = (resized_crop(each, boxes, 64) for each in (images, images / 255))
    assert float((levels - unrounded).abs().max()) < 1.01 / 255


@pytest.mark.parametrize("dense", [False, True])
def test_flips_mirror_the_crop(images: Tensor, dense: bool) -> None:
    flips = torch.tensor([[True, False], [False, True], [True, True]] * 2)
    plain, flipped = (resized_crop(images, BOXES, 12, each, dense=dense) for each in (None, flips))
    for (vertical, horizontal), before, after in zip(flips.tolist(), plain, flipped, strict=True):
        expected = oracle.vertical_flip(before) if vertical else before
        expected = oracle.horizontal_flip(expected) if horizontal else expected
        torch.testing.assert_close(after, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (adjust_brightness, oracle.adjust_brightness),
        (adjust_contrast, oracle.adjust_contrast),
        (adjust_saturation, oracle.adjust_saturation),
    ],
)
def test_brightness_contrast_saturation(
    images: Tensor, ours: Callable[..., Tensor], theirs: Callable[..., Tensor]
) -> None:
    factors = torch.tensor([0.0, 0.2, 0.7, 1.0, 1.3, 1.8])
    for image, factor, each in zip(images, factors.tolist(), ours(images, factors), strict=True):
        torch.testing.assert_close(each, theirs(image, factor), atol=2e-6, rtol=0)


def test_hue(images: Tensor) -> None:
    shifts = torch.tensor([-0.5, -0.2, 0.0, 0.1, 0.37, 0.5])
    for image, shift, made in zip(images, shifts.tolist(), adjust_hue(images, shifts), strict=True):
        torch.testing.assert_close(made, oracle.adjust_hue(image, shift), atol=2e-5, rtol=0)


def test_hue_of_pure_colours_and_their_mixtures() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3).T.reshape(1, 3, 27, 1)
    for shift in torch.linspace(-0.5, 0.5, 25):
        made = adjust_hue(corners, shift[None])
        torch.testing.assert_close(made, oracle.adjust_hue(corners, float(shift)), atol=2e-5, rtol=0)


@pytest.mark.parametrize("all_at_once", [False, True])
def test_jitter_follows_each_sample_s_own_order(all_at_once: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    images = transposed_in_memory(torch.rand(40, 3, 5, 7, generator=generator))
    jitter = ColourJitter(0.8, 0.8, 0.8, 0.2, probability=0.9)
    drawn = jitter.draw(images.shape, images.device, generator)
    made = (jitter.change_all if all_at_once else jitter.change)(images.clone(), drawn)
    orders = set()
    for row, (image, ours) in enumerate(zip(images, made, strict=True)):
        steps = replayed(row, drawn)
        orders.add(tuple(name for name, _ in steps))
        for name, value in steps if drawn["chosen"][row] else ():
            image = getattr(oracle, f"adjust_{name}")(image, value)
        torch.testing.assert_close(ours, image, atol=2e-5, rtol=0)
    assert len(orders) > 12


def replayed(row: int, drawn: dict[str, Tensor]) -> list[tuple[str, float]]:
    """Return the adjustments of a sample in their order, as names of torchvision's and values."""
    steps = []
    for turn in range(3):
        factor = float(drawn["image"][row, turn])
        parts = {"contrast": float(drawn["mean"][row, turn]), "saturation": float(drawn["luma"][row, turn])}
        steps.append((next((name for name, part in parts.items() if part), "brightness"), factor))
    steps.insert(int(drawn["before"][row]), ("hue", float(drawn["hue"][row])))
    return steps


def test_greyscale(images: Tensor) -> None:
    for image, made in zip(images, to_luma(images), strict=True):
        torch.testing.assert_close(made, oracle.rgb_to_grayscale(image), atol=2e-6, rtol=0)


@pytest.mark.parametrize("dense", [False, True])
def test_blur_with_the_whole_kernel(images: Tensor, dense: bool) -> None:
    # torchvision cuts its kernel at its size; 45 is the largest for 23 pixels, and cuts nothing that counts.
    sigmas = torch.tensor([0.1, 0.4, 0.8, 1.2, 1.7, 2.0])
    for given in (images, transposed_in_memory(images)):
        blurred = gaussian_blur(given, sigmas, dense=dense)
        for image, sigma, made in zip(images, sigmas.tolist(), blurred, strict=True):
            expected = oracle.gaussian_blur(image, [45, 45], [sigma, sigma])
            torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


def test_blur_of_those_that_are_chosen(images: Tensor) -> None:
    sigmas, chosen = torch.tensor([0.1, 0.4, 0.8, 1.2, 1.7, 2.0]), torch.tensor([1, 1, 0, 1, 1, 1]).bool()
    for given in (images, transposed_in_memory(images)):
        made = RandomGaussianBlur().change(given.clone(), {"chosen": chosen, "sigma": sigmas})
        for image, sigma, blurs, each in zip(images, sigmas.tolist(), chosen.tolist(), made, strict=True):
            expected = oracle.gaussian_blur(image, [45, 45], [sigma, sigma]) if blurs else image
            torch.testing.assert_close(each, expected, atol=1e-5, rtol=0)


def test_grey_of_those_that_are_chosen(images: Tensor) -> None:
    chosen = torch.tensor([True, False, True, True, False, True])
    made = RandomGreyscale().change(images.clone(), {"chosen": chosen})
    for image, greys, each in zip(images, chosen.tolist(), made, strict=True):
        torch.testing.assert_close(each, oracle.rgb_to_grayscale(image, 3) if greys else image)


def test_blur_of_an_image_smaller_than_its_kernel() -> None:
    image = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(3))
    made = gaussian_blur(image, torch.tensor([2.0]))
    assert made.shape == image.shape
    torch.testing.assert_close(
        gaussian_blur(torch.ones(1, 1, 4, 5), torch.tensor([2.0])).mean(), torch.tensor(1.0)
    )


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_solarize(images: Tensor, threshold: float) -> None:
    torch.testing.assert_close(solarize(images, threshold), oracle.solarize(images, threshold))


def test_rotate(images: Tensor) -> None:
    degrees = torch.tensor([0.0, 30.0, -45.0, 90.0, 133.0, -180.0])
    for image, angle, made in zip(images, degrees.tolist(), rotate(images, degrees), strict=True):
        expected = oracle.rotate(image, angle, InterpolationMode.BILINEAR)
        torch.testing.assert_close(made, expected, atol=2e-4, rtol=0)


def test_quarter_turns(images: Tensor) -> None:
    square = images[..., :23].contiguous()
    quarters = torch.tensor([0, 1, 2, 3, 1, 0])
    made = RandomQuarterTurn().change(square.clone(), {"quarters": quarters})
    for image, by, each in zip(square, quarters.tolist(), made, strict=True):
        assert torch.equal(each, oracle.rotate(image, 90.0 * by) if by else image)


def test_erase(images: Tensor) -> None:
    for image, (top, left, height, width), made in zip(
        images, BOXES.tolist(), erase(images, BOXES, 0.25), strict=True
    ):
        assert torch.equal(made, oracle.erase(image, top, left, height, width, torch.tensor(0.25)))
