"""Barlow Twins against equations 1 and 2 of the paper in plain loops."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses import barlow_twins


def in_plain_loops(z_a: list[list[float]], z_b: list[list[float]], weight: float) -> float:
    """Zbontar et al. 2021: the correlation of each pair of dimensions, against the identity."""
    count, dim = len(z_a), len(z_a[0])

    def column(z: list[list[float]], d: int) -> list[float]:
        values = [row[d] for row in z]
        mean = sum(values) / count
        return [value - mean for value in values]

    loss = 0.0
    for i in range(dim):
        for j in range(dim):
            a, b = column(z_a, i), column(z_b, j)
            correlation = sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
            loss += (1 - correlation) ** 2 if i == j else weight * correlation**2
    return loss


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, generator=generator), 2 + torch.randn(6, 4, generator=generator)


@pytest.mark.parametrize("weight", [0.0, 5e-3, 1.0])
def test_it_is_equation_1(pair: tuple[Tensor, Tensor], weight: float) -> None:
    expected = in_plain_loops(pair[0].tolist(), pair[1].tolist(), weight)
    assert barlow_twins(*pair, off_diagonal_weight=weight).item() == pytest.approx(expected, rel=1e-3)


def test_equal_views_of_uncorrelated_dimensions_lose_nothing() -> None:
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins(z, z).item() == pytest.approx(0, abs=1e-6)


def test_it_is_blind_to_scale_and_shift(pair: tuple[Tensor, Tensor]) -> None:
    z_a, z_b = pair
    torch.testing.assert_close(barlow_twins(5 * z_a + 1, z_b), barlow_twins(z_a, z_b), rtol=1e-3, atol=1e-4)


def test_a_weight_must_not_be_negative(pair: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ConfigError, match="off_diagonal_weight must be >= 0, got -1"):
        barlow_twins(*pair, off_diagonal_weight=-1)
