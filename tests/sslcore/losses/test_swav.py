"""Swapped prediction against equation 1 of SwAV in plain loops."""

import math

import pytest
import torch

from sslcore.errors import ConfigError
from sslcore.losses import swapped_prediction


def in_plain_loops(
    scores: list[list[list[float]]], codes: list[list[list[float]]], temperature: float
) -> float:
    """Caron et al. 2020, equations 1, 2 and 6: the cross entropy of each code with each other view."""
    losses = []
    for i, code in enumerate(codes):
        for v, score in enumerate(scores):
            if v == i:
                continue
            for q, s in zip(code, score, strict=True):
                total = sum(math.exp(value / temperature) for value in s)
                losses.append(
                    -sum(
                        share * math.log(math.exp(value / temperature) / total)
                        for share, value in zip(q, s, strict=True)
                    )
                )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("num_views", [2, 5])
def test_it_is_equation_1(num_views: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = list(torch.rand(num_views, 3, 4, generator=generator) * 2 - 1)
    codes = list(torch.rand(2, 3, 4, generator=generator).softmax(dim=2))
    expected = in_plain_loops([s.tolist() for s in scores], [c.tolist() for c in codes], 0.1)
    assert swapped_prediction(scores, codes).item() == pytest.approx(expected, rel=1e-5)


def test_no_gradient_flows_into_codes() -> None:
    scores = [torch.randn(3, 4) for _ in range(2)]
    codes = [torch.rand(3, 4).requires_grad_() for _ in range(2)]
    assert not swapped_prediction(scores, codes).requires_grad


def test_a_temperature_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="temperature must be > 0, got 0"):
        swapped_prediction([torch.zeros(1, 2)] * 2, [torch.zeros(1, 2)] * 2, temperature=0)
