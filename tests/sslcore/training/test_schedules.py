"""Schedules by hand numbers; what is decayed and what is not."""

import pytest
import torch
from torch import nn

from sslcore.training.optimizers import build_optimizer, parameter_groups
from sslcore.training.schedules import cosine_with_warmup, steps_of


@pytest.mark.parametrize(
    ("step", "share"), [(0, 0.25), (3, 1.0), (4, 1.0), (8, 0.5), (11, 0.5 * (1 - 0.92387953))]
)
def test_a_rise_of_four_steps_then_half_a_cosine_of_eight(step: int, share: float) -> None:
    assert cosine_with_warmup(step, total_steps=12, warmup_steps=4) == pytest.approx(share)


def test_without_warmup_it_starts_at_the_peak() -> None:
    assert cosine_with_warmup(0, total_steps=10, warmup_steps=0) == 1.0


def test_epochs_become_steps() -> None:
    assert steps_of(1.5, 7) == 10


def test_biases_and_norms_are_not_decayed() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    decayed, plain = parameter_groups(module, 0.1)
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    shapes = [sorted(tuple(each.shape) for each in group["params"]) for group in (decayed, plain)]
    assert shapes == [[(2, 1, 3, 3), (2, 2)], [(2,)] * 4]


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_an_optimizer_by_name(name: str, kind: type) -> None:
    assert isinstance(build_optimizer(name, nn.Linear(2, 2), lr=0.1, weight_decay=0.0), kind)
