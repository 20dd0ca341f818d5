"""MSN's and PMSN's loss against equation 1 in plain loops."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.prototype_matching import power_law, prototype_matching


def rows(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assign(z: Sequence[float], prototypes: list[list[float]], temperature: float) -> list[float]:
    powers = [
        math.exp(
            sum(a * b for a, b in zip(z, q, strict=True)) / math.hypot(*z) / math.hypot(*q) / temperature
        )
        for q in prototypes
    ]
    return [each / sum(powers) for each in powers]


def in_plain_loops(
    anchors: Tensor, targets: Tensor, prototypes: Tensor, prior: list[float] | None, sinkhorn: int
) -> float:
    q_list = prototypes.tolist()
    num_anchors, batch, num_prototypes = *anchors.shape[:2], len(q_list)
    goal = []
    for z in targets.tolist():
        sharp = [p ** (1 / 0.25) for p in assign(z, q_list, 0.1)]
        goal.append([p / sum(sharp) for p in sharp])
    for _ in range(sinkhorn):
        sums = [sum(goal[b][k] for b in range(batch)) for k in range(num_prototypes)]
        goal = [[goal[b][k] / sums[k] for k in range(num_prototypes)] for b in range(batch)]
        goal = [[p / sum(row) for p in row] for row in goal]
    said = [[assign(anchors[a, b].tolist(), q_list, 0.1) for b in range(batch)] for a in range(num_anchors)]
    matching = sum(
        -sum(p * math.log(q) for p, q in zip(goal[b], said[a][b], strict=True))
        for a in range(num_anchors)
        for b in range(batch)
    ) / (num_anchors * batch)
    mean = [
        sum(said[a][b][k] for a in range(num_anchors) for b in range(batch)) / (num_anchors * batch)
        for k in range(num_prototypes)
    ]
    prior = prior or [1 / num_prototypes] * num_prototypes
    return float(matching) + 2 * sum(p * math.log(p / q) for p, q in zip(mean, prior, strict=True))


@pytest.mark.parametrize("sinkhorn", [0, 3])
@pytest.mark.parametrize("exponent", [None, 0.25])
def test_it_is_equation_1(sinkhorn: int, exponent: float | None) -> None:
    anchors, targets, prototypes = rows(3, 4, 5, seed=0), rows(4, 5, seed=1), rows(6, 5, seed=2)
    prior = None if exponent is None else power_law(6, exponent)
    listed = None
    if exponent is not None:
        weights = [k**-exponent for k in range(1, 7)]
        listed = [each / sum(weights) for each in weights]
    got = prototype_matching(
        anchors, targets, prototypes, prior=prior, regularization=2.0, sinkhorn_iterations=sinkhorn
    )
    assert got.item() == pytest.approx(
        in_plain_loops(anchors, targets, prototypes, listed, sinkhorn), rel=1e-4
    )


def test_the_uniform_prior_is_minus_entropy_plus_a_constant() -> None:
    z = torch.eye(4)
    used = prototype_matching(z[None], z, z, regularization=1.0) - prototype_matching(
        z[None], z, z, regularization=0.0
    )
    assert used.item() == pytest.approx(0.0, abs=1e-6)  # All prototypes are used alike.
    same = z[:1].expand(4, -1)
    alone = prototype_matching(same[None], z, z, temperature=0.01) - prototype_matching(
        same[None], z, z, temperature=0.01, regularization=0.0
    )
    assert alone.item() == pytest.approx(math.log(4), rel=1e-5)


def test_targets_take_no_gradient_but_anchors_and_prototypes_do() -> None:
    anchors, targets, prototypes = (
        each.requires_grad_() for each in (rows(2, 4, 5, seed=0), rows(4, 5, seed=1), rows(6, 5, seed=2))
    )
    prototype_matching(anchors, targets, prototypes).backward()  # type: ignore[no-untyped-call]
    assert targets.grad is None
    assert anchors.grad is not None
    assert prototypes.grad is not None


@pytest.mark.parametrize("name", ["temperature", "target_temperature"])
def test_temperatures_must_be_positive(name: str) -> None:
    z = torch.eye(2)
    with pytest.raises(ConfigError, match=f"^{name} must be > 0, got 0"):
        prototype_matching(z[None], z, z, **{name: 0.0})  # type: ignore[arg-type]
