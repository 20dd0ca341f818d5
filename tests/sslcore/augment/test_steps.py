"""What steps draw, and that a chance of 0 leaves an image alone and 1 changes it."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from sslcore.augment import (
    ColourJitter,
    RandomErasing,
    RandomGaussianBlur,
    RandomGreyscale,
    RandomQuarterTurn,
    RandomResizedCrop,
    RandomRotation,
    RandomSolarize,
    Step,
)
from sslcore.augment.crop import draw_boxes
from sslcore.augment.step import on_chosen
from sslcore.errors import ConfigError

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: ColourJitter(0.8, 0.8, 0.8, 0.2, probability=p),
        RandomGreyscale,
        lambda p: RandomGaussianBlur((1.0, 2.0), probability=p),
        RandomSolarize,
        RandomErasing,
        RandomQuarterTurn,
        lambda p: RandomRotation(90, probability=p),
    ],
)
def test_probability_0_leaves_an_image_alone_and_1_changes_it(make: Callable[[float], Step]) -> None:
    unit = torch.rand(8, 3, 20, 20, generator=seeded())
    before = copy.deepcopy(unit)
    assert torch.equal(make(0.0)(unit, seeded()), unit)
    changed = (make(1.0)(unit, seeded()) - unit).abs().amax((1, 2, 3))
    assert bool((changed > 0.01).all())
    assert torch.equal(unit, before)
    some = (make(0.5)(unit, seeded()) != unit).flatten(1).any(1)
    assert 0 < int(some.sum()) < 8


def test_only_the_chosen_are_changed_in_any_order_of_memory() -> None:
    chosen = torch.tensor([True, False, True, False])
    by = torch.tensor([1.0, 2.0, 3.0, 4.0])
    for order in ([0, 1, 2, 3], [1, 0, 3, 2], [0, 2, 3, 1]):
        images = torch.rand(4, 3, 5, 7, generator=seeded())
        inverse = [order.index(dim) for dim in range(4)]
        laid_out = images.clone().permute(order).contiguous().permute(inverse)
        made = on_chosen(laid_out, chosen, lambda some, by: some + by[:, None, None, None], by)
        assert torch.equal(made, images + (chosen * by)[:, None, None, None])


def test_boxes_lie_inside_and_are_drawn_as_torchvision_draws_them() -> None:
    scale, ratio = (0.3, 1.0), (3 / 4, 4 / 3)
    boxes = draw_boxes(torch.Size((4000, 3, 60, 100)), scale, ratio, device=CPU, generator=seeded())
    top, left, height, width = boxes.unbind(1)
    assert bool((top >= 0).all() and (left >= 0).all() and (boxes[:, 2:] >= 1).all())
    assert bool((top + height <= 60).all() and (left + width <= 100).all())
    torch.manual_seed(0)
    transform = v2.RandomResizedCrop(8, scale=scale, ratio=ratio)
    image = torch.zeros(3, 60, 100)
    theirs = [transform.make_params([image]) for _ in range(4000)]
    for ours, name in ((top, "top"), (left, "left"), (height, "height"), (width, "width")):
        expected = torch.tensor([float(each[name]) for each in theirs])
        spread = expected.std() / 4000**0.5
        assert abs(ours.float().mean() - expected.mean()) < 6 * spread
        assert abs(ours.float().std() / expected.std() - 1) < 0.06


def test_boxes_that_never_fit_lie_in_the_middle_as_torchvision_puts_them() -> None:
    shape = torch.Size((3, 3, 10, 100))
    boxes = draw_boxes(shape, (1.0, 1.0), (3 / 4, 4 / 3), device=CPU, generator=seeded())
    params = v2.RandomResizedCrop(8, scale=(1.0, 1.0)).make_params([torch.zeros(3, 10, 100)])
    expected = [params[name] for name in ("top", "left", "height", "width")]
    assert (boxes - torch.tensor(expected)).abs().max() <= 1  # they round half pixels another way
    assert boxes[0, 2:].tolist() == expected[2:]


def test_a_tiny_image_still_gives_boxes_inside() -> None:
    boxes = RandomResizedCrop(8).draw(torch.Size((500, 3, 2, 3)), CPU, seeded())["boxes"]
    assert bool((boxes[:, 2:] >= 1).all())
    assert bool((boxes[:, 0] + boxes[:, 2] <= 2).all())
    assert bool((boxes[:, 1] + boxes[:, 3] <= 3).all())


def test_a_generator_elsewhere_draws_the_same() -> None:
    jitter = ColourJitter(0.4, 0.4, 0.4, 0.1)
    meta = jitter.draw(torch.Size((4, 3, 8, 8)), torch.device("meta"), seeded())
    assert all(value.device.type == "meta" for value in meta.values())


def test_colour_is_left_alone_where_there_is_none() -> None:
    images = torch.rand(6, 4, 8, 8, generator=seeded())
    assert torch.equal(RandomGreyscale(1.0)(images, seeded()), images)
    assert torch.equal(ColourJitter(0, 0, 0.8, 0.2, probability=1.0)(images, seeded()), images)
    assert not torch.equal(ColourJitter(0.4, 0.4, probability=1.0)(images, seeded()), images)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomResizedCrop(0), "crop size must be >= 1, got 0"),
        (lambda: RandomResizedCrop(8, ratio=(2.0, 1.0)), "crop ratio must be"),
        (lambda: RandomGaussianBlur((0.0, 1.0)), "blur sigma must be 0 < least"),
        (lambda: RandomErasing(scale=(0.0, 0.1)), "erase scale must be"),
        (lambda: RandomRotation(200.0), "rotation_degrees must be in 0..180, got 200"),
        (lambda: ColourJitter(-1.0), "brightness must be >= 0, got -1.0"),
        (lambda: RandomSolarize(2.0), "solarize_probability must be in 0..1, got 2.0"),
    ],
)
def test_wrong_settings_are_one_line(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_quarter_turns_need_squares() -> None:
    images: Tensor = torch.zeros(2, 3, 4, 5)
    with pytest.raises(ConfigError, match="quarter turns need square images, got 4 x 5"):
        RandomQuarterTurn()(images)
