"""DINO's and iBOT's losses and targets against the papers' algorithms in plain loops."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.centring import Centring
from sslcore.losses.masked_patches import masked_patches
from sslcore.losses.self_distillation import self_distillation


def softmax(row: list[float], temperature: float, centre: list[float] | None = None) -> list[float]:
    centre = centre or [0.0] * len(row)
    powers = [math.exp((value - off) / temperature) for value, off in zip(row, centre, strict=True)]
    return [each / sum(powers) for each in powers]


def cross_entropy(target: list[float], logits: list[float], temperature: float) -> float:
    predicted = softmax(logits, temperature)
    return -sum(p * math.log(q) for p, q in zip(target, predicted, strict=True))


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("num_views", "num_targets"), [(2, 2), (5, 2), (3, 1)])
def test_every_target_meets_every_other_view(num_views: int, num_targets: int) -> None:
    student, targets = rows(num_views, 4, 6), rows(num_targets, 4, 6, seed=1).softmax(dim=2)
    losses = [
        cross_entropy(targets[t, image].tolist(), student[v, image].tolist(), 0.2)
        for t in range(num_targets)
        for v in range(num_views)
        if t != v
        for image in range(4)
    ]
    got = self_distillation(student, targets, temperature=0.2)
    assert got.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_no_gradient_reaches_the_targets_and_half_precision_comes_out_in_fp32() -> None:
    targets = rows(2, 3, 5).softmax(dim=2).requires_grad_()
    student = rows(3, 3, 5, seed=1).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = self_distillation(student, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.dtype == torch.float32
    assert targets.grad is None
    assert student.grad is not None


def test_distillation_says_what_is_wrong() -> None:
    with pytest.raises(ConfigError, match="temperature must be > 0, got 0"):
        self_distillation(rows(2, 1, 3), rows(2, 1, 3), temperature=0)
    with pytest.raises(ConfigError, match="needs a view beside each target, got 1"):
        self_distillation(rows(1, 1, 3), rows(1, 1, 3))
    with pytest.raises(ConfigError, match="temperature must be > 0, got -1"):
        masked_patches(rows(1, 3), rows(1, 3), torch.ones(1), num_images=1, temperature=-1)


def test_hidden_patches_count_by_image() -> None:
    # Three images: the first hides one patch, the second none, the third two.
    student, targets = rows(3, 5), rows(3, 5, seed=1).softmax(dim=1)
    each = [cross_entropy(targets[m].tolist(), student[m].tolist(), 0.1) for m in range(3)]
    expected = (each[0] + 0 + (each[1] + each[2]) / 2) / 3
    got = masked_patches(student, targets, torch.tensor([1.0, 0.5, 0.5]), num_images=3)
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_centring_is_algorithm_1() -> None:
    centring = Centring(4, momentum=0.8)
    centre = [0.0] * 4
    for step in range(3):
        logits = rows(5, 4, seed=step) + 1
        got = centring(logits, temperature=0.1)
        for row, target in zip(logits.tolist(), got.tolist(), strict=True):
            assert target == pytest.approx(softmax(row, 0.1, centre), rel=1e-4)
        means = [sum(row[k] for row in logits.tolist()) / 5 for k in range(4)]
        centre = [0.8 * old + 0.2 * new for old, new in zip(centre, means, strict=True)]
        assert centring.centre.tolist() == pytest.approx(centre, rel=1e-4, abs=1e-6)


def test_a_centre_stays_in_evaluation_and_is_saved() -> None:
    centring = Centring(4).eval()
    centring(rows(5, 4) + 1, temperature=0.1)
    assert not centring.centre.any()
    assert "centre" in centring.state_dict()
    with pytest.raises(ConfigError, match=r"centre_momentum must be in 0..1, got 1.5"):
        Centring(4, momentum=1.5)
