"""Views are the same compiled and not, and in any number of threads."""

import pytest
import torch
from torch import Tensor

from sslcore.augment import VIEWS, build_views
from sslcore.compiled import available

SETS = [name for name in VIEWS if name != "custom"]


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (7, 3, 60, 44), dtype=torch.uint8, generator=generator)


def made(name: str, images: Tensor) -> list[Tensor]:
    return list(build_views(name, image_size=32)(images, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_the_same_both_ways(name: str, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = made(name, images)
    monkeypatch.setattr(available, "_module", lambda name: None)
    for one, other in zip(ours, made(name, images), strict=True):
        # Where a value is just at the threshold of solarization, or at its hue's corner, rounding shows.
        assert (one - other).abs().quantile(0.999) < 1e-4


def test_threads_share_a_batch_and_change_nothing(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = made("byol", images)
    monkeypatch.setattr("sslcore.augment.view.CACHED", 2 * 3 * 32**2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for one, other in zip(alone, made("byol", images), strict=True):
        assert torch.equal(one, other)
