"""Your own views: composed from plain options, a factory, a transform of one image."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor
from torchvision.transforms import v2

from sslcore.augment import IMAGENET, Normalization, PerImage, ViewList, build_views
from sslcore.errors import ConfigError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (6, 3, 20, 20), dtype=torch.uint8, generator=seeded(7))


RECIPE = """
- count: 2
  steps:
    - crop: {scale: [0.5, 1.0], interpolation: bicubic}
    - jitter: {brightness: 0.4, hue: 0.1}
    - blur
    - solarize: {threshold: 0.4}
- size: 8
  steps: [resize, greyscale, erase, rotate, quarter_turn]
"""


def test_views_are_composed_as_yaml_says(images: Tensor) -> None:
    views = build_views("custom", image_size=16, views=yaml.safe_load(RECIPE))
    made = views(images, seeded())
    assert [view.shape[-1] for view in made] == [16, 16, 8]
    assert not torch.equal(made[0], made[1])
    assert all(torch.equal(*pair) for pair in zip(made, views(images, seeded()), strict=True))
    plain = build_views("custom", image_size=20, views=[{"steps": ["resize"]}])(images, seeded())
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (IMAGENET.mean, IMAGENET.std))
    torch.testing.assert_close(plain[0], (images / 255 - mean) / std, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([], "view_options.views must be a list of views"),
        ([{"size": 8}], r"views\[0\] must have steps"),
        ([{"steps": ["jitter"]}], r"the first step of views\[0\] must be one of crop, resize, got 'jitter'"),
        ([{"steps": ["crop", "blurr"]}], r"a step of views\[0\] must be one of .* did you mean 'blur'"),
        ([{"steps": ["crop"], "cuont": 2}], r"a key of views\[0\] must be one of count, size, steps"),
        ([{"steps": ["crop"], "count": 0}], "count and size must be whole numbers >= 1, got 0 and 16"),
        ([{"steps": [{"crop": {"scal": 1}}]}], "crop has no option 'scal'; did you mean 'scale'"),
        ([{"steps": [{"crop": {"scale": 0.5}}]}], r"crop cannot be made of \{'scale': 0.5\}"),
        ([{"steps": [{"crop": 0.5}]}], r"must be a name or \{name: \{option: value\}\}, got \{'crop': 0.5\}"),
        ([{"steps": ["crop", {"blur": {"probability": 2}}]}], "blur_probability must be in 0..1, got 2"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(views: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_views("custom", image_size=16, views=views)


THEIRS = """
import torch
from torch import nn

def make(*, image_size, normalization, shift=0.0):
    def views(images, generator):
        return [images[..., :image_size, :image_size] / 255 + shift]
    return views

def module(**options):
    return nn.Identity()

def nothing(**options):
    return None
"""


def test_anybody_s_factory_makes_views(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_views.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = build_views("their_views:make", image_size=4, shift=1.0)(images, seeded())
    assert isinstance(made, ViewList)
    assert torch.equal(made[0], images[..., :4, :4] / 255 + 1)
    assert isinstance(build_views("their_views:module", image_size=4), torch.nn.Identity)
    for name, options, message in (
        ("their_views:make", {"shfit": 1}, "must take image_size, normalization and view_options: .*shfit"),
        ("their_views:nothing", {}, "must return something to call, got NoneType"),
        ("their_views:no", {}, "cannot be imported"),
        ("no_such_package:make", {}, "cannot be imported"),
    ):
        with pytest.raises(ConfigError, match=message):
            build_views(name, image_size=4, **options)  # type: ignore[arg-type]


def test_a_transform_of_one_image_gives_views_with_chance_from_the_generator(images: Tensor) -> None:
    transform = v2.Compose([v2.RandomResizedCrop(8), v2.ToDtype(torch.float32, scale=True)])
    views = PerImage(transform, num_views=2)
    state = torch.get_rng_state()
    one, again, other = (views(images, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert [view.shape for view in one] == [(6, 3, 8, 8)] * 2
    assert torch.equal(one[0], again[0])
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[0], one[1])


def test_a_normalization_of_one_value_is_for_any_channels(images: Tensor) -> None:
    same = Normalization((0.5,), (0.5,))
    made = build_views("custom", image_size=20, normalization=same, views=[{"steps": ["resize"]}])
    torch.testing.assert_close(made(images)[0], images / 127.5 - 1, atol=1e-5, rtol=0)
