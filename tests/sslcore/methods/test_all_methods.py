"""One battery over all methods, found by name."""

import pytest
import torch
from torch import Tensor

from sslcore.backbones import build_backbone
from sslcore.methods import METHODS, method_class

pytestmark = pytest.mark.parametrize("name", METHODS)


def build(name: str, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    backbone = build_backbone("resnet10-small", image_size=16, seed=seed)
    return method_class(name)(backbone)


@pytest.fixture
def views() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(6, 3, 16, 16, generator=generator) for _ in range(2)]


def test_one_step_is_finite_and_reaches_every_weight(name: str, views: list[Tensor]) -> None:
    method = build(name)
    loss = method(views)
    loss.backward()
    assert torch.isfinite(loss)
    without = [key for key, value in method.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


def test_the_same_seed_gives_the_same_loss(name: str, views: list[Tensor]) -> None:
    assert torch.equal(build(name)(views), build(name)(views))
    assert not torch.equal(build(name, 0)(views), build(name, 1)(views))


def test_what_is_saved_and_loaded_gives_the_same_loss(name: str, views: list[Tensor]) -> None:
    first, second = build(name, 0), build(name, 1)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.eval()(views), second.eval()(views))


def test_bf16_is_close_to_fp32(name: str, views: list[Tensor]) -> None:
    method = build(name)
    expected = method(views)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(method(views), expected, rtol=0.02, atol=0.02)


def test_agreeing_views_lose_less_than_views_of_others(name: str, views: list[Tensor]) -> None:
    method = build(name).eval()
    agree = method([views[0], views[0] + 0.01 * views[1]])
    assert agree < method([views[0], views[0].roll(1, 0)])


def test_the_learning_rate_grows_with_the_root_of_the_batch(name: str) -> None:
    for optimizer in ("sgd", "adamw"):
        rule = method_class(name).default_lr
        assert rule(optimizer, 1024) == pytest.approx(2 * rule(optimizer, 256))
