"""Sets of views: each sample its own chance, exactly repeatable."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sslcore.augment import (
    IMAGENET,
    VIEWS,
    ColourJitter,
    RandomGaussianBlur,
    RandomGreyscale,
    RandomResizedCrop,
    build_views,
    normalize,
)
from sslcore.errors import ConfigError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (8, 3, 20, 24), dtype=torch.uint8, generator=seeded(7))


@pytest.mark.parametrize("name", VIEWS)
def test_a_set_gives_two_normalized_views(name: str, images: Tensor) -> None:
    views = build_views(name, image_size=16)(images, seeded())
    assert [view.shape for view in views] == [(8, 3, 16, 16)] * 2
    assert all(view.dtype == torch.float32 for view in views)
    low, high = normalize(
        torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1), IMAGENET
    )
    assert all(bool((view >= low - 1e-5).all() and (view <= high + 1e-5).all()) for view in views)


@pytest.mark.parametrize("name", VIEWS)
def test_the_same_seed_gives_the_same_views(name: str, images: Tensor) -> None:
    views = build_views(name, image_size=16)
    first, again, other = (torch.stack(views(images, seeded(seed))) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_each_sample_has_its_own_chance(images: Tensor) -> None:
    same = images[:1].expand(8, -1, -1, -1)
    (view, _) = build_views("simclr", image_size=16)(same, seeded())
    distances = torch.cdist(view.flatten(1), view.flatten(1))
    assert bool((distances + torch.eye(8) > 1e-3).all())


def test_uint8_and_float_images_give_the_same_views(images: Tensor) -> None:
    views = build_views("simclr", image_size=16)
    for ours, theirs in zip(views(images, seeded()), views(images / 255, seeded()), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_views_are_the_same_inside_an_autocast_block(images: Tensor) -> None:
    views = build_views("simclr", image_size=16)
    expected = views(images, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(torch.equal(*pair) for pair in zip(views(images, seeded()), expected, strict=True))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: ColourJitter(0.8, 0.8, 0.8, 0.2, probability=p),
        RandomGreyscale,
        lambda p: RandomGaussianBlur((1.0, 2.0), probability=p),
    ],
)
def test_probability_0_leaves_an_image_alone_and_1_changes_it(make: object, images: Tensor) -> None:
    unit = images / 255
    assert torch.equal(make(0.0)(unit, seeded()), unit)  # type: ignore[operator]
    changed = (make(1.0)(unit, seeded()) - unit).abs().amax((1, 2, 3))  # type: ignore[operator]
    assert bool((changed > 0.01).all())


def test_boxes_lie_inside_and_have_the_area_and_shape_that_was_asked_for() -> None:
    crop = RandomResizedCrop(8, scale=(0.3, 0.6))
    top, left, height, width = crop.draw(2000, 100, 100, torch.device("cpu"), seeded()).unbind(1)
    assert bool((top >= 0).all() and (left >= 0).all())
    assert bool((top + height <= 100).all() and (left + width <= 100).all())
    area = height * width / 1e4
    assert 0.28 < area.min() < 0.32
    assert 0.58 < area.max() < 0.62
    ratio = width / height
    assert 0.72 < ratio.min() < 0.8
    assert 1.25 < ratio.max() < 1.37


def test_a_tiny_image_still_gives_boxes_inside() -> None:
    boxes = RandomResizedCrop(8).draw(500, 2, 3, torch.device("cpu"), seeded())
    assert bool((boxes[:, 2:] >= 1).all())
    assert bool((boxes[:, 0] + boxes[:, 2] <= 2).all())
    assert bool((boxes[:, 1] + boxes[:, 3] <= 3).all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_scal": 0.2}, "have no option 'min_scal'; did you mean 'min_scale'?"),
        ({"min_scale": 0.0}, "crop scale must be 0 < least <= greatest <= 1"),
        ({"jitter_probability": 1.5}, r"jitter_probability must be in 0..1, got 1.5"),
        ({"jitter_strength": 3.0}, r"hue must be in 0..0.5, got 0.6"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_views("simclr", image_size=16, **options)


def test_an_unknown_set_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="views must be one of simclr, simclr-small"):
        build_views("simcrl", image_size=16)
