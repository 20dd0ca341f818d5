"""Synchronous momentum grouping against the paper's equations in plain loops."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses import group_contrast, moved_groups, nearest_groups


def cosine(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def nearest_in_loops(z: list[list[float]], groups: list[list[float]]) -> list[int]:
    return [max(range(len(groups)), key=lambda g: cosine(row, groups[g])) for row in z]


def moved_in_loops(groups: list[list[float]], z: list[list[float]], beta: float) -> list[list[float]]:
    """Pang et al. 2022: c = beta c + (1 - beta) * mean of its samples, where it has any."""
    assigned, moved = nearest_in_loops(z, groups), []
    for g, group in enumerate(groups):
        members = [
            [value / math.hypot(*row) for value in row] for row, a in zip(z, assigned, strict=True) if a == g
        ]
        if members:
            mean = [sum(column) / len(members) for column in zip(*members, strict=True)]
            group = [beta * old + (1 - beta) * new for old, new in zip(group, mean, strict=True)]
        moved.append(group)
    return moved


@pytest.fixture
def drawn() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, 5, generator=generator), torch.randn(4, 5, generator=generator)


def test_samples_go_to_the_most_similar_group(drawn: tuple[Tensor, Tensor]) -> None:
    z, groups = drawn
    assert nearest_groups(z, groups).tolist() == nearest_in_loops(z.tolist(), groups.tolist())


def test_groups_move_towards_their_samples_and_others_stay(drawn: tuple[Tensor, Tensor]) -> None:
    z, groups = drawn[0][:2], drawn[1]  # two samples and four groups: some have none
    moved = moved_groups(groups, z, momentum=0.9)
    torch.testing.assert_close(moved, torch.tensor(moved_in_loops(groups.tolist(), z.tolist(), 0.9)))
    assert (moved == groups).all(dim=1).sum() >= 2


def test_the_loss_is_the_cross_entropy_among_groups(drawn: tuple[Tensor, Tensor]) -> None:
    z, groups = drawn
    assigned = [0, 1, 2, 3, 0, 1, 2]
    losses = []
    for row, right in zip(z.tolist(), assigned, strict=True):
        each = [math.exp(cosine(row, group) / 0.1) for group in groups.tolist()]
        losses.append(-math.log(each[right] / sum(each)))
    found = group_contrast(z, groups, torch.tensor(assigned))
    assert found.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_gradients_flow_through_the_moved_groups(drawn: tuple[Tensor, Tensor]) -> None:
    z, groups = drawn[0].requires_grad_(), drawn[1]
    group_contrast(drawn[0].detach(), moved_groups(groups, z), torch.zeros(7, dtype=torch.int64)).backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    assert z.grad.any()


def test_a_temperature_must_be_positive(drawn: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ConfigError, match="temperature must be > 0, got 0"):
        group_contrast(*drawn, torch.zeros(7, dtype=torch.int64), temperature=0)
