"""Optimizers by name, LARS against its formula, and which parameter is in which group."""

from typing import Any

import pytest
import torch
from torch import nn

from sslcore.backbones import build_backbone
from sslcore.errors import ConfigError
from sslcore.methods import Progress
from sslcore.training.lars import LARS
from sslcore.training.optimizers import OPTIMIZERS, build_optimizer
from sslcore.training.parameter_groups import layer_depths, parameter_groups
from sslcore.training.schedules import Schedule


class Wrapped(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(4, 4)


class Tiny(nn.Module):
    """A transformer's names: tokens, an embedding, two blocks, a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.ones(1, 5, 4))
        self.patch_embed = nn.Linear(4, 4)
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.norm = nn.LayerNorm(4)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_there_is_takes_a_step_downhill(name: str) -> None:
    torch.manual_seed(0)
    module, x = nn.Linear(4, 1), torch.randn(32, 4)
    optimizer = build_optimizer(name, module, lr=0.05, weight_decay=0.0)
    losses = []
    for _ in range(5):
        loss = module(x).square().mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("adapt", [True, False])
def test_lars_is_its_formula(adapt: bool) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(3, 2, dtype=torch.float64))
    optimizer = LARS([weight], lr=0.3, momentum=0.8, weight_decay=0.1, trust=0.02, adapt=adapt)
    expected, velocity = weight.detach().clone(), torch.zeros(3, 2, dtype=torch.float64)
    for _ in range(3):
        grad = torch.randn(3, 2, dtype=torch.float64)
        weight.grad = grad
        optimizer.step()
        update = grad + 0.1 * expected
        ratio = 0.02 * expected.norm() / update.norm() if adapt else 1.0
        velocity = 0.8 * velocity + ratio * update
        expected = expected - 0.3 * velocity
        torch.testing.assert_close(weight.detach(), expected)


def test_lars_moves_weights_that_are_zero_by_plain_gradients() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    LARS([weight], lr=0.5).step()
    assert weight.tolist() == [-0.5, -0.5]


def test_lars_leaves_biases_and_norms_alone() -> None:
    optimizer = build_optimizer("lars", nn.Linear(2, 2), lr=0.1, weight_decay=0.3)
    assert [(group["adapt"], group["weight_decay"]) for group in optimizer.param_groups] == [
        (True, 0.3),
        (False, 0.0),
    ]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adamwe", {}, "did you mean 'adamw'"),
        ("sgd", {"momentun": 1}, "sgd has no option 'momentun'; did you mean 'momentum'"),
        ("adamw", {"betas": [2, 2]}, "pretrain.optimizer_options: adamw: Invalid beta"),
        ("lars", {"trust": -1}, "LARS needs"),
        ("rprop", {}, "rprop has no weight decay"),
    ],
)
def test_a_wrong_setting_is_one_line(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_optimizer(name, nn.Linear(2, 2), lr=0.1, weight_decay=0.1, options=options)


def test_options_reach_the_optimizer() -> None:
    made = build_optimizer("adamw", nn.Linear(2, 2), lr=0.1, weight_decay=0.1, options={"betas": [0.8, 0.9]})
    assert list(made.param_groups[0]["betas"]) == [0.8, 0.9]


def test_tokens_are_not_decayed() -> None:
    decayed, plain = parameter_groups(Tiny(), 0.1)
    assert sorted(each.ndim for each in decayed["params"]) == [2, 2, 2]
    assert sorted(each.ndim for each in plain["params"]) == [1, 1, 1, 1, 1, 3]


def test_layers_learn_slower_the_deeper_they_lie() -> None:
    module = Wrapped(Tiny())
    groups = parameter_groups(module, 0.1, lr=1.0, layer_decay=0.5)
    rates = {id(each): group["lr"] for group in groups for each in group["params"]}
    backbone = module.backbone
    assert isinstance(backbone, Tiny)
    assert rates[id(backbone.pos_embed)] == rates[id(backbone.patch_embed.weight)] == 0.125
    assert [rates[id(block.bias)] for block in backbone.blocks] == [0.25, 0.5]
    assert rates[id(backbone.norm.weight)] == rates[id(module.head.weight)] == 1.0
    assert len(rates) == len(list(module.parameters()))


@pytest.mark.parametrize(
    ("name", "first", "blocks"),
    [("resnet10-small", "conv1.weight", 4), ("vit_b_32", "class_token", 12), ("convnext_tiny", None, 8)],
)
def test_blocks_are_found_in_the_fields_networks(name: str, first: str | None, blocks: int) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name, image_size=32)
    depths, top = layer_depths(Wrapped(backbone))
    assert top == blocks + 1
    assert set(range(1, top)) <= set(depths.values())
    assert first is None or depths[f"backbone.{first}"] == 0


def test_without_blocks_there_is_no_layer_decay() -> None:
    with pytest.raises(ConfigError, match="needs a backbone with numbered blocks"):
        parameter_groups(Wrapped(nn.Linear(2, 2)), 0.1, lr=1.0, layer_decay=0.5)


def test_the_schedule_sets_each_groups_rate_and_decay() -> None:
    groups = parameter_groups(Wrapped(Tiny()), 0.1, lr=1.0, layer_decay=0.5)
    optimizer = torch.optim.SGD(groups, lr=1.0)
    schedule = Schedule(optimizer, warmup_epochs=100)
    schedule.apply(optimizer, Progress(0, 20, 10), weight_decay_factor=3.0)
    assert {group["lr"] for group in optimizer.param_groups} == {0.0625, 0.125, 0.25, 0.5}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.30000000000000004}
    schedule.apply(optimizer, Progress(11, 20, 10), weight_decay_factor=1.0)
    assert max(group["lr"] for group in optimizer.param_groups) == 0.5
