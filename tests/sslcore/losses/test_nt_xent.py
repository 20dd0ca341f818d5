"""NT-Xent against equation 1 of the paper in plain loops."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses import nt_xent


def in_plain_loops(z_a: Tensor, z_b: Tensor, temperature: float) -> float:
    """Chen et al. 2020, equation 1: the mean of l(i, j) over all positive pairs, both ways round."""
    z = [row.tolist() for pair in zip(z_a, z_b, strict=True) for row in pair]  # 2k and 2k+1 are a pair

    def similarity(u: list[float], v: list[float]) -> float:
        dot = sum(a * b for a, b in zip(u, v, strict=True))
        return dot / (math.hypot(*u) * math.hypot(*v))

    losses = []
    for i in range(len(z)):
        partner = i + 1 if i % 2 == 0 else i - 1
        others = sum(math.exp(similarity(z[i], z[k]) / temperature) for k in range(len(z)) if k != i)
        losses.append(-math.log(math.exp(similarity(z[i], z[partner]) / temperature) / others))
    return sum(losses) / len(losses)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 7, generator=generator), torch.randn(5, 7, generator=generator)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_it_is_equation_1(pair: tuple[Tensor, Tensor], temperature: float) -> None:
    assert nt_xent(*pair, temperature=temperature).item() == pytest.approx(
        in_plain_loops(*pair, temperature), rel=1e-5
    )


def test_two_samples_by_hand() -> None:
    # Views agree, samples are orthogonal: -log(e^2 / (e^2 + 1 + 1)) at temperature 0.5.
    z = torch.eye(2)
    assert nt_xent(z, z, temperature=0.5).item() == pytest.approx(
        -math.log(math.e**2 / (math.e**2 + 2)), rel=1e-6
    )


def test_it_is_symmetric_in_the_views_and_blind_to_length(pair: tuple[Tensor, Tensor]) -> None:
    z_a, z_b = pair
    torch.testing.assert_close(nt_xent(z_a, z_b), nt_xent(z_b, z_a))
    torch.testing.assert_close(nt_xent(z_a, z_b), nt_xent(3 * z_a, 0.2 * z_b))


def test_half_precision_comes_out_in_fp32(pair: tuple[Tensor, Tensor]) -> None:
    z_a, z_b = (each.bfloat16() for each in pair)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(z_a, z_b)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, nt_xent(z_a.float(), z_b.float()))


@pytest.mark.parametrize("temperature", [0.0, -0.1])
def test_a_temperature_must_be_positive(pair: tuple[Tensor, Tensor], temperature: float) -> None:
    with pytest.raises(ConfigError, match=f"temperature must be > 0, got {temperature}"):
        nt_xent(*pair, temperature=temperature)
