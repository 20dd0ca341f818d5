"""SIGReg and LeJEPA's loss against the paper's algorithms in plain loops."""

import cmath
import math

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.lejepa import lejepa
from sslcore.losses.sigreg import random_directions, sigreg


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def statistic(samples: list[float], knots: int, end: float) -> float:
    """Algorithm 1 on one direction, over the whole line from -end to end with twice the knots."""
    points = [end * k / (knots - 1) for k in range(-knots + 1, knots)]
    heights = []
    for t in points:
        phi = sum(cmath.exp(1j * t * x) for x in samples) / len(samples)
        normal = math.exp(-(t**2) / 2)
        heights.append(abs(phi - normal) ** 2 * normal)
    step = end / (knots - 1)
    return len(samples) * step * (sum(heights) - (heights[0] + heights[-1]) / 2)


def test_sigreg_is_algorithm_1() -> None:
    z, directions = rows(2, 5, 3) + 0.3, random_directions(3, 4)
    expected = [
        statistic((z[view] @ directions[:, each]).tolist(), 9, 3.0) for view in range(2) for each in range(4)
    ]
    got = sigreg(z, directions, num_knots=9)
    assert got.item() == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_normal_samples_lose_far_less_than_others() -> None:
    directions = random_directions(4, 64)
    normal = rows(1, 500, 4)
    good = sigreg(normal, directions)
    for bad in (torch.zeros_like(normal), 3 * normal, normal + 1):
        assert sigreg(bad, directions) > 3 * good


def test_lejepa_is_algorithm_2() -> None:
    z = rows(3, 4, 2)
    torch.manual_seed(0)
    got = lejepa(z, num_global=2, sigreg_weight=0.25, num_slices=8)
    torch.manual_seed(0)
    normality = sigreg(z, random_directions(2, 8)).item()
    distances = [
        (z[v, b, d].item() - (z[0, b, d].item() + z[1, b, d].item()) / 2) ** 2
        for v in range(3)
        for b in range(4)
        for d in range(2)
    ]
    expected = 0.75 * sum(distances) / len(distances) + 0.25 * normality
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_directions_have_unit_length_and_follow_the_seed() -> None:
    torch.manual_seed(1)
    first = random_directions(5, 7)
    torch.manual_seed(1)
    assert torch.equal(first, random_directions(5, 7))
    torch.testing.assert_close(torch.linalg.vector_norm(first, dim=0), torch.ones(7))


def test_wrong_settings_are_one_line() -> None:
    z, directions = rows(2, 3, 4), random_directions(4, 2)
    with pytest.raises(ConfigError, match="num_knots must be >= 2, got 1"):
        sigreg(z, directions, num_knots=1)
    with pytest.raises(ConfigError, match="t_max must be > 0, got 0"):
        sigreg(z, directions, t_max=0)
    with pytest.raises(ConfigError, match=r"sigreg_weight must be in 0..1, got 2"):
        lejepa(z, sigreg_weight=2)
    with pytest.raises(ConfigError, match=r"num_global must be in 1..2, the number of views, got 3"):
        lejepa(z, num_global=3)
