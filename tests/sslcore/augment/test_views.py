"""Sets of views: each sample its own chance, exactly repeatable."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sslcore.augment import (
    IMAGENET,
    PRESETS,
    MultiView,
    Normalization,
    RandomResizedCrop,
    Resize,
    View,
    ViewList,
    build_views,
    normalize,
)
from sslcore.errors import ConfigError

METHODS = (
    "simclr mocov1 mocov2 byol simsiam fastsiam vicreg vicregl barlowtwins swav smog dino ibot dinov2 msn "
    "mae ijepa densecl tico simmim lejepa"
).split()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (8, 3, 20, 24), dtype=torch.uint8, generator=seeded(7))


def test_every_method_has_its_views_and_those_for_small_images() -> None:
    assert {*METHODS, *(f"{name}-small" for name in METHODS)} <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_set_gives_its_normalized_views(name: str, images: Tensor) -> None:
    preset = PRESETS[name]
    views = build_views(name, image_size=32)(images, seeded())
    assert isinstance(views, ViewList)
    sizes = [32] * preset.num_global + [16] * preset.num_local
    assert [view.shape for view in views] == [(8, 3, size, size) for size in sizes]
    assert all(view.dtype == torch.float32 for view in views)
    low, high = normalize(
        torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1), IMAGENET
    )
    assert all(bool((view >= low - 1e-5).all() and (view <= high + 1e-5).all()) for view in views)
    assert [boxes.shape for boxes in views.boxes] == [(8, 4)] * len(sizes)


@pytest.mark.parametrize("name", ["simclr", "byol-small", "swav", "dino-small", "mae"])
def test_the_same_seed_gives_the_same_views(name: str, images: Tensor) -> None:
    views = build_views(name, image_size=16)
    first, again, other = (views(images, seeded(seed)) for seed in (0, 0, 1))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(first, other, strict=True))
    assert len(first) == 1 or not torch.equal(first[0], first[1])


def test_pieces_of_a_batch_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch, images: Tensor) -> None:
    views = build_views("byol", image_size=16, vertical_flip_probability=0.5, erase_probability=0.5)
    whole = views(images, seeded())
    monkeypatch.setattr("sslcore.augment.view.CACHED", 3 * 3 * 16**2)
    for one, other in zip(whole, views(images, seeded()), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_each_sample_has_its_own_chance(images: Tensor) -> None:
    same = images[:1].expand(8, -1, -1, -1)
    (view, _) = build_views("simclr", image_size=16)(same, seeded())
    distances = torch.cdist(view.flatten(1), view.flatten(1))
    assert bool((distances + torch.eye(8) > 1e-3).all())


def test_uint8_and_float_images_give_the_same_views(images: Tensor) -> None:
    before = images.clone()
    views = build_views("simclr", image_size=16)
    for ours, theirs in zip(views(images, seeded()), views(images / 255, seeded()), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert torch.equal(images, before)


def test_views_are_the_same_inside_an_autocast_block(images: Tensor) -> None:
    views = build_views("simclr", image_size=16)
    expected = views(images, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(torch.equal(*pair) for pair in zip(views(images, seeded()), expected, strict=True))


def test_boxes_say_where_a_view_was_cut_out() -> None:
    # An image whose values are its own coordinates: the corners of a view show its box.
    down, across = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(48) + 0.5, indexing="ij")
    ramp = torch.stack((across / 48, down / 64))[None].expand(20, -1, -1, -1)
    crop = RandomResizedCrop(33, scale=(0.2, 1.0), flip_probability=0.5, vertical_flip_probability=0.5)
    views = MultiView([View(crop, normalization=None)])(ramp, seeded(1))
    middle = views[0][:, :, 16, 16]  # antialiasing moves the edges, never the middle
    left, top, right, bottom = views.boxes[0].unbind(1)
    torch.testing.assert_close(middle, torch.stack((left + right, top + bottom), 1) / 2, atol=1e-4, rtol=0)
    grows_right = views[0][:, 0, 16, -1] > views[0][:, 0, 16, 0]
    grows_down = views[0][:, 1, -1, 16] > views[0][:, 1, 0, 16]
    assert torch.equal(grows_right, right > left)
    assert torch.equal(grows_down, bottom > top)
    assert 0 < int(grows_right.sum()) < 20
    assert 0 < int(grows_down.sum()) < 20


def test_turned_views_do_not_claim_boxes(images: Tensor) -> None:
    views = build_views("simclr", image_size=16, rotation_probability=0.5, quarter_turn_probability=0.5)
    made = views(images, seeded())
    assert made.boxes == []
    assert len(made) == 2


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels(channels: int) -> None:
    images = torch.randint(0, 256, (6, channels, 20, 20), dtype=torch.uint8, generator=seeded())
    normalization = Normalization((0.5,) * channels, (0.25,) * channels)
    views = build_views("byol", image_size=16, normalization=normalization)
    assert [view.shape for view in views(images, seeded())] == [(6, channels, 16, 16)] * 2


def test_a_normalization_of_other_channels_is_one_line(images: Tensor) -> None:
    with pytest.raises(ConfigError, match="images have 2 channels and the normalization has 3"):
        build_views("simclr", image_size=16)(images[:, :2], seeded())


def test_resize_shows_the_whole_image(images: Tensor) -> None:
    views = MultiView([View(Resize(20), normalization=None)])(images[..., :20])
    torch.testing.assert_close(views[0], images[..., :20] / 255, atol=1e-6, rtol=0)
    assert torch.equal(views.boxes[0], torch.tensor([[0.0, 0, 1, 1]]).expand(8, -1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_scal": 0.2}, "have no option 'min_scal'; did you mean 'min_scale'?"),
        ({"min_scale": 0.0}, "crop scale must be 0 < least <= greatest <= 1"),
        ({"jitter_probability": 1.5}, r"jitter_probability must be in 0..1, got 1.5"),
        ({"blur_probability": [0.5, -1]}, r"blur_probability must be in 0..1, got -1.0"),
        (
            {"blur_probability": "often"},
            "blur_probability must be a number, or a list with one for each view",
        ),
        ({"jitter_strength": 3.0}, r"hue must be in 0..0.5, got 0.6"),
        ({"jitter": [0.4, 0.4]}, r"jitter must have 4 numbers, got \[0.4, 0.4\]"),
        ({"num_views": 0}, "num_global must be >= 1"),
        ({"num_local": 1.5}, "num_local must be a whole number, got 1.5"),
        ({"interpolation": "nearest"}, "interpolation must be one of bicubic, bilinear"),
        ({"views": []}, "are ready-made and have no option 'views'; take views: custom"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_views("simclr", image_size=16, **options)


def test_an_unknown_set_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="views must be one of .* got 'simcrl'; did you mean 'simclr'"):
        build_views("simcrl", image_size=16)


def test_options_win_over_the_set_and_may_differ_between_views(images: Tensor) -> None:
    options: dict[str, Any] = {
        "num_views": 2,
        "min_scale": 1.0,
        "jitter_probability": 0.0,
        "grey_probability": [0.0, 1.0],
    }
    views = build_views("simclr-small", image_size=16, num_local=1, local_size=8, **options)
    first, second, local = views(images, seeded())
    assert local.shape[-1] == 8
    colour = [(view * torch.tensor(IMAGENET.std).view(3, 1, 1)).std(1).max() for view in (first, second)]
    assert colour[0] > 0.05


@pytest.mark.parametrize(("size", "local"), [(224, 96), (128, 48), (96, 48), (64, 32), (32, 16), (8, 8)])
def test_local_views_have_a_side_that_patches_divide(size: int, local: int) -> None:
    assert PRESETS["dino"].local_side(size) == local
