"""DCL and DCLW against the paper in plain loops."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses import dcl, nt_xent


def cosine(u: Tensor, v: Tensor) -> float:
    a, b = u.tolist(), v.tolist()
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def in_plain_loops(z_a: Tensor, z_b: Tensor, temperature: float, sigma: float | None) -> float:
    """Yeh et al. 2022, equation 6: -w s(i, i') / t + log of the sum over the views of all other samples."""
    views, count = (z_a, z_b), len(z_a)
    agreement = [cosine(z_a[i], z_b[i]) for i in range(count)]
    weight = [1.0] * count
    if sigma is not None:
        mean = sum(math.exp(each / sigma) for each in agreement) / count
        weight = [2 - math.exp(each / sigma) / mean for each in agreement]
    losses = []
    for k in range(2):
        for i in range(count):
            negatives = [
                math.exp(cosine(views[k][i], views[other][j]) / temperature)
                for other in range(2)
                for j in range(count)
                if j != i
            ]
            losses.append(-weight[i] * agreement[i] / temperature + math.log(sum(negatives)))
    return sum(losses) / len(losses)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 7, generator=generator), torch.randn(5, 7, generator=generator)


@pytest.mark.parametrize("sigma", [None, 0.5, 2.0])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_it_is_the_papers(pair: tuple[Tensor, Tensor], temperature: float, sigma: float | None) -> None:
    expected = in_plain_loops(*pair, temperature, sigma)
    assert dcl(*pair, temperature=temperature, sigma=sigma).item() == pytest.approx(expected, rel=1e-5)


def test_simclr_is_never_below_it(pair: tuple[Tensor, Tensor]) -> None:
    assert dcl(*pair, temperature=0.5) < nt_xent(*pair, temperature=0.5)


def test_the_weights_pass_no_gradient_on(pair: tuple[Tensor, Tensor]) -> None:
    z_a, z_b = pair[0].requires_grad_(), pair[1]
    agreement = torch.cosine_similarity(z_a, z_b)
    closeness = (agreement / 0.5).exp()
    constant = (2 - closeness / closeness.mean()).detach()
    by_hand = dcl(z_a, z_b) + ((1 - constant) * agreement / 0.1).mean()
    (expected,) = torch.autograd.grad(by_hand, z_a)
    (found,) = torch.autograd.grad(dcl(z_a, z_b, sigma=0.5), z_a)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.0), ("sigma", -1.0)])
def test_settings_must_be_positive(pair: tuple[Tensor, Tensor], name: str, value: float) -> None:
    settings: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError, match=f"{name} must be > 0, got {value}"):
        dcl(*pair, **settings)
