"""VICReg against the authors' scaling of the paper's equations, in plain loops."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.losses import vicreg
from sslcore.losses.vicreg import covariance_term, variance_term

Rows = list[list[float]]


def moments(z: Rows) -> list[list[float]]:
    count, dim = len(z), len(z[0])
    mean = [sum(row[d] for row in z) / count for d in range(dim)]
    return [
        [sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in z) / (count - 1) for j in range(dim)]
        for i in range(dim)
    ]


def variance_in_loops(z: Rows) -> float:
    covariance = moments(z)
    short = [max(0.0, 1 - math.sqrt(covariance[d][d] + 1e-4)) for d in range(len(covariance))]
    return sum(short) / len(short)


def covariance_in_loops(z: Rows) -> float:
    covariance = moments(z)
    dim = len(covariance)
    return sum(covariance[i][j] ** 2 for i in range(dim) for j in range(dim) if i != j) / dim


def in_plain_loops(z_a: Rows, z_b: Rows) -> float:
    """Bardes et al. 2021, equation 6 with lambda = mu = 25 and nu = 1."""
    squares = [(x - y) ** 2 for a, b in zip(z_a, z_b, strict=True) for x, y in zip(a, b, strict=True)]
    spread = (variance_in_loops(z_a) + variance_in_loops(z_b)) / 2
    redundancy = covariance_in_loops(z_a) + covariance_in_loops(z_b)
    return 25 * sum(squares) / len(squares) + 25 * spread + redundancy


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 0.5 * torch.randn(6, 4, generator=generator), 1 + torch.randn(6, 4, generator=generator)


def test_it_is_equation_6(pair: tuple[Tensor, Tensor]) -> None:
    expected = in_plain_loops(pair[0].tolist(), pair[1].tolist())
    assert vicreg(*pair).item() == pytest.approx(expected, rel=1e-5)


def test_each_term_has_its_weight(pair: tuple[Tensor, Tensor]) -> None:
    z_a, z_b = pair
    only = {"invariance": 0.0, "variance": 0.0, "covariance": 0.0}
    assert vicreg(z_a, z_b, **{**only, "invariance": 2.0}) == 2 * (z_a - z_b).square().mean()
    expected = (variance_in_loops(z_a.tolist()) + variance_in_loops(z_b.tolist())) / 2
    assert vicreg(z_a, z_b, **{**only, "variance": 1.0}).item() == pytest.approx(expected, rel=1e-5)


def test_a_collapse_costs_the_whole_variance_term() -> None:
    assert variance_term(torch.ones(8, 3)).item() == pytest.approx(1 - math.sqrt(1e-4))
    assert covariance_term(torch.ones(8, 3)).item() == 0


def test_leading_dimensions_have_statistics_of_their_own(pair: tuple[Tensor, Tensor]) -> None:
    both = torch.stack(pair)
    for term in (variance_term, covariance_term):
        torch.testing.assert_close(term(both), (term(pair[0]) + term(pair[1])) / 2)
