"""TiCo against the paper's equations in plain loops."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.losses import tico


def in_plain_loops(
    z_a: Tensor, z_b: Tensor, covariance: Tensor, decay: float, weight: float
) -> tuple[float, list[list[float]]]:
    """Zhu et al. 2022: 1 - mean z.z' + rho * mean z C z with C moved by this batch first."""
    a = [[value / math.hypot(*row) for value in row] for row in z_a.tolist()]
    b = [[value / math.hypot(*row) for value in row] for row in z_b.tolist()]
    count, dim = len(a), len(a[0])
    moved = [
        [
            decay * float(covariance[i, j]) + (1 - decay) * sum(row[i] * row[j] for row in a) / count
            for j in range(dim)
        ]
        for i in range(dim)
    ]
    agreement = sum(x * y for u, v in zip(a, b, strict=True) for x, y in zip(u, v, strict=True)) / count
    contrast = sum(u[i] * moved[i][j] * u[j] for u in a for i in range(dim) for j in range(dim)) / count
    return 1 - agreement + weight * contrast, moved


@pytest.mark.parametrize(("decay", "weight"), [(0.9, 8.0), (0.5, 20.0)])
def test_it_is_the_papers_over_two_steps(decay: float, weight: float) -> None:
    generator = torch.Generator().manual_seed(0)
    covariance = torch.zeros(4, 4)
    for _ in range(2):
        z_a, z_b = torch.randn(2, 5, 4, generator=generator)
        loss, moved = tico(z_a, z_b, covariance, decay=decay, weight=weight)
        expected, expected_moved = in_plain_loops(z_a, z_b, covariance, decay, weight)
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(moved, torch.tensor(expected_moved))
        covariance = moved


def test_the_gradient_sees_this_batchs_share_of_the_covariance() -> None:
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    other = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).double()
    zeros = torch.zeros(4, 4, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(tico(z, other, zeros)[0], z)
    step = torch.zeros_like(z)
    step[2, 1] = 1e-3
    slope = (tico(z + step, other, zeros)[0] - tico(z - step, other, zeros)[0]) / 2e-3
    assert gradient[2, 1].item() == pytest.approx(slope.item(), rel=0.02)
