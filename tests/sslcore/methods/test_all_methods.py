"""One battery over all methods, found by name. What a method documents as its exception is listed here."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from sslcore.methods import METHODS, Method, method_class

pytestmark = pytest.mark.parametrize("name", METHODS)

WITHOUT_GRADIENT_AT_FIRST: dict[str, tuple[str, ...]] = {
    "swav": ("prototypes.",),
    "dino": ("head.last_layer.",),
    "ibot": ("heads.0.last_layer.",),
    "dinov2": ("heads.0.last_layer.", "heads.1.last_layer."),
}
"""Beginnings of names of parameters that a method says it does not train in its first epoch."""

Make = Callable[..., Any]


def test_it_says_what_it_is(name: str) -> None:
    cls = method_class(name)
    assert cls.name == name
    assert "http" in cls.summary
    assert all(field.description for field in cls.Options.model_fields.values())


def test_it_builds_from_its_defaults_and_from_its_options(name: str, make_method: Make) -> None:
    cls = method_class(name)
    assert cls.Options() == cls.Options(**cls.Options().model_dump())
    assert isinstance(make_method(name), Method)


def test_the_first_step_is_finite_and_reaches_every_weight_of_the_student(
    name: str, make_method: Make, make_views: Make, take_step: Make
) -> None:
    method = make_method(name)
    loss = take_step(method, make_views(name))
    assert loss.ndim == 0
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    exempt = WITHOUT_GRADIENT_AT_FIRST.get(name, ())
    trained = {key: each for key, each in method.named_parameters() if each.requires_grad}
    without = [key for key, each in trained.items() if each.grad is None or not each.grad.any()]
    assert [key for key in without if not key.startswith(exempt or ("-",))] == []


def test_gradients_never_reach_what_is_not_trained(
    name: str, make_method: Make, make_views: Make, take_step: Make
) -> None:
    method = make_method(name)
    take_step(method, make_views(name))
    assert all(each.grad is None for each in method.parameters() if not each.requires_grad)
    assert any(each.requires_grad for each in method.backbone.parameters())


def test_a_few_steps_stay_finite_and_change_the_backbone(
    name: str, make_method: Make, make_views: Make, take_step: Make
) -> None:
    method = make_method(name)
    before = [each.detach().clone() for each in method.backbone.parameters()]
    losses = [take_step(method, make_views(name, seed=number), number=number) for number in range(3)]
    assert torch.isfinite(torch.stack(losses)).all()
    after = method.backbone.parameters()
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_same_seed_gives_the_same_losses(
    name: str, make_method: Make, make_views: Make, take_step: Make
) -> None:
    def losses(seed: int) -> list[float]:
        method = make_method(name, seed=seed)
        return [float(take_step(method, make_views(name), number=number)) for number in range(2)]

    first = losses(0)
    assert losses(0) == first
    assert losses(1) != first


def test_what_is_saved_after_two_steps_goes_on_with_the_same_losses(
    name: str, make_method: Make, make_views: Make, take_step: Make
) -> None:
    first, second = make_method(name, seed=0), make_method(name, seed=1)
    for number in range(2):
        take_step(first, make_views(name, seed=number), number=number)
    second.load_state_dict(first.state_dict())
    for number in range(2, 4):
        views = make_views(name, seed=number)
        assert torch.equal(take_step(first, views, number=number), take_step(second, views, number=number)), (
            f"step {number}"
        )


def test_what_it_keeps_is_in_its_state(name: str, make_method: Make) -> None:
    method = make_method(name)
    held = {id(each) for each in (*method.parameters(), *method.buffers())}
    loose = [
        key
        for module in method.modules()
        for key, value in vars(module).items()
        if isinstance(value, Tensor) and id(value) not in held
    ]
    kept = {key for key, _ in (*method.named_parameters(), *method.named_buffers())}
    assert loose == []
    assert kept == set(method.state_dict())


def test_bf16_is_close_to_fp32(name: str, make_method: Make, make_views: Make) -> None:
    def loss(enabled: bool) -> Tensor:
        method = make_method(name)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            result: Tensor = method(make_views(name))
        return result

    assert loss(True).dtype == torch.float32
    torch.testing.assert_close(loss(True), loss(False), rtol=0.05, atol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_the_gpu_is_close_to_the_cpu(name: str, make_method: Make, make_views: Make) -> None:
    views = make_views(name)
    on_cpu, on_gpu = make_method(name), make_method(name)
    on_gpu.load_state_dict(on_cpu.state_dict())
    for view in range(len(views)):
        views[view] = views[view].cuda()
    boxes = getattr(views, "boxes", [])
    boxes[:] = [each.cuda() for each in boxes]
    torch.testing.assert_close(on_gpu.cuda()(views).cpu(), on_cpu(make_views(name)), rtol=0.02, atol=0.02)


def test_views_that_do_not_fit_are_told_in_one_line(name: str, make_method: Make, make_views: Make) -> None:
    from sslcore.errors import ConfigError

    views: Sequence[Tensor] = make_views(name)
    with pytest.raises(ConfigError, match=f"{name} takes .* view.*, got 0"):
        make_method(name)(views[:0])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lars"])
def test_the_learning_rate_is_positive_and_never_falls_with_the_batch(name: str, optimizer: str) -> None:
    rule = method_class(name).default_lr
    rates = [rule(optimizer, batch_size) for batch_size in (32, 256, 4096)]
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)
    assert rates == sorted(rates)
