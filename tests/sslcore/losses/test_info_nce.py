"""InfoNCE against the papers in plain loops, with a queue and without."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses import info_nce


def cosine(u: Tensor, v: Tensor) -> float:
    a, b = u.tolist(), v.tolist()
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def in_plain_loops(queries: Tensor, keys: Tensor, negatives: Tensor | None, temperature: float) -> float:
    """He et al. 2019, equation 1; without a queue the other keys of the batch stand for it."""
    losses = []
    for i, query in enumerate(queries):
        others = [key for j, key in enumerate(keys) if j != i] if negatives is None else list(negatives)
        right = math.exp(cosine(query, keys[i]) / temperature)
        wrong = sum(math.exp(cosine(query, other) / temperature) for other in others)
        losses.append(-math.log(right / (right + wrong)))
    return sum(losses) / len(losses)


@pytest.fixture
def drawn() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries, keys, negatives = (torch.randn(n, 6, generator=generator) for n in (4, 4, 9))
    return queries, keys, negatives


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("queue", [True, False])
def test_it_is_equation_1(drawn: tuple[Tensor, Tensor, Tensor], queue: bool, temperature: float) -> None:
    queries, keys, negatives = drawn[0], drawn[1], drawn[2] if queue else None
    loss = info_nce(queries, keys, temperature=temperature, negatives=negatives)
    expected = in_plain_loops(queries, keys, negatives, temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_it_is_blind_to_length(drawn: tuple[Tensor, Tensor, Tensor]) -> None:
    queries, keys, negatives = drawn
    torch.testing.assert_close(
        info_nce(2 * queries, 0.1 * keys, negatives=5 * negatives),
        info_nce(queries, keys, negatives=negatives),
    )


def test_the_queue_may_be_overwritten_before_the_backward_pass(drawn: tuple[Tensor, Tensor, Tensor]) -> None:
    queries, keys, negatives = drawn
    queries = queries.requires_grad_()
    (expected,) = torch.autograd.grad(info_nce(queries, keys, negatives=negatives), queries)
    loss = info_nce(queries, keys, negatives=negatives)
    negatives.zero_()
    (gradient,) = torch.autograd.grad(loss, queries)
    assert torch.equal(gradient, expected)


def test_a_temperature_must_be_positive(drawn: tuple[Tensor, Tensor, Tensor]) -> None:
    with pytest.raises(ConfigError, match="temperature must be > 0, got 0"):
        info_nce(*drawn[:2], temperature=0)
