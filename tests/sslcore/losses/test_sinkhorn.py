"""Sinkhorn-Knopp against the loops of SwAV's listing, and what it promises."""

import math

import pytest
import torch

from sslcore.errors import ConfigError
from sslcore.losses import sinkhorn


def in_plain_loops(scores: list[list[float]], temperature: float, iterations: int) -> list[list[float]]:
    """Caron et al. 2020, listing 1: divide prototypes by their sum, then samples by theirs, in turn."""
    q = [[math.exp(value / temperature) for value in row] for row in scores]
    samples, prototypes = range(len(q)), range(len(q[0]))
    for _ in range(iterations):
        for k in prototypes:
            total = sum(q[n][k] for n in samples)
            for n in samples:
                q[n][k] /= total * len(q[0])
        for n in samples:
            total = sum(q[n])
            for k in prototypes:
                q[n][k] /= total * len(q)
    return [[value * len(q) for value in row] for row in q]


@pytest.mark.parametrize(("temperature", "iterations"), [(0.05, 3), (0.5, 1), (1.0, 5)])
def test_it_is_listing_1(temperature: float, iterations: int) -> None:
    scores = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = sinkhorn(scores, temperature=temperature, num_iterations=iterations)
    expected = torch.tensor(in_plain_loops(scores.tolist(), temperature, iterations))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_samples_sum_to_one_and_prototypes_are_used_equally() -> None:
    scores = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    codes = sinkhorn(scores, temperature=0.5, num_iterations=50)
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(64))
    torch.testing.assert_close(codes.sum(dim=0), torch.full((8,), 8.0))


def test_large_scores_and_low_temperatures_neither_overflow_nor_vanish() -> None:
    scores = torch.tensor([[500.0, 0.0], [-500.0, -501.0], [0.0, 1.0]])
    codes = sinkhorn(scores, temperature=0.01)
    assert torch.isfinite(codes).all()
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(3))


def test_wrong_settings_are_told() -> None:
    with pytest.raises(ConfigError, match="temperature must be > 0, got 0"):
        sinkhorn(torch.zeros(2, 2), temperature=0)
    with pytest.raises(ConfigError, match="num_iterations must be >= 1, got 0"):
        sinkhorn(torch.zeros(2, 2), num_iterations=0)
