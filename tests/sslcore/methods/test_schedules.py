"""Schedules and what is done to gradients."""

import pytest
import torch
from torch import nn

from sslcore.methods import Progress
from sslcore.methods.schedules import clip_each, cosine_between, frozen_at_first, linear_lr, warmed_up


def at(step: int, total: int = 101) -> Progress:
    return Progress(step=step, total_steps=total, steps_per_epoch=10)


def test_a_cosine_leads_from_start_to_end() -> None:
    assert [cosine_between(at(step), 1.0, 10.0) for step in (0, 50, 100)] == pytest.approx([1.0, 5.5, 10.0])


def test_a_warm_up_is_a_line_and_at_most_three_tenths_of_the_run() -> None:
    values = [warmed_up(at(step), 0.04, 0.07, 2.0) for step in (0, 10, 20, 90)]
    assert values == pytest.approx([0.04, 0.055, 0.07, 0.07])
    assert warmed_up(at(15, 100), 0.0, 1.0, 30.0) == pytest.approx(0.5)
    assert warmed_up(at(0), 0.0, 1.0, 0.0) == 1.0


def test_a_frozen_layer_has_no_gradient_in_its_epochs() -> None:
    for step, frozen in ((9, True), (10, False)):
        layer = nn.Linear(2, 2)
        layer(torch.ones(1, 2)).sum().backward()
        frozen_at_first(layer, at(step), 1.0)
        assert (layer.weight.grad is None) == frozen


def test_each_gradient_is_clipped_by_itself() -> None:
    long, short, none = (nn.Parameter(torch.zeros(2)) for _ in range(3))
    long.grad, short.grad = torch.tensor([30.0, 40.0]), torch.tensor([0.3, 0.4])
    clip_each([long, short, none], 3.0)
    assert long.grad.tolist() == pytest.approx([1.8, 2.4])
    assert short.grad.tolist() == pytest.approx([0.3, 0.4])
    clip_each([long], 0.0)
    assert long.grad.tolist() == pytest.approx([1.8, 2.4])


def test_the_learning_rate_is_in_proportion_to_the_batch() -> None:
    assert [linear_lr(name, 512, adamw=5e-4) for name in ("adamw", "lars", "sgd")] == [1e-3, 0.6, 0.06]
