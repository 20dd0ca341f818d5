"""The linear probe against scikit-learn's solver, and what must hold for any input."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sslcore.errors import ConfigError
from sslcore.evaluation import linear_probe
from sslcore.evaluation.linear_probe import _fit


def overlapping_classes(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    middles = torch.tensor([[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    return middles[labels] + torch.randn(n, 4, generator=generator), labels


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_weights_are_those_of_another_solver(l2: float) -> None:
    features, labels = overlapping_classes(150)
    weight, bias = _fit(features, labels, num_classes=3, l2=l2, max_iterations=300)
    # scikit-learn minimizes C * sum of losses + |W|^2 / 2.
    other = LogisticRegression(C=1 / (l2 * len(labels)), tol=1e-8, max_iter=2000).fit(features, labels)
    assert np.allclose(weight, other.coef_, atol=2e-3)
    assert np.allclose(bias - bias.mean(), other.intercept_ - other.intercept_.mean(), atol=2e-3)


def test_predictions_do_not_depend_on_scale_and_offset() -> None:
    features, labels = overlapping_classes(90)
    queries, _ = overlapping_classes(60, seed=1)
    plain = linear_probe(features, labels, queries, num_classes=3)
    scale, offset = torch.tensor([1e3, 1e-3, 1.0, 5.0]), torch.tensor([4.0, 0.0, -7.0, 1.0])
    moved = linear_probe(features * scale + offset, labels, queries * scale + offset, num_classes=3)
    assert (plain == moved).float().mean() > 0.98


def test_dimensions_that_do_not_vary_are_dropped() -> None:
    features, labels = overlapping_classes(90)
    queries, _ = overlapping_classes(60, seed=1)
    constant = torch.full((1, 1), 0.1)
    got = linear_probe(
        torch.cat([features, constant.expand(90, 1)], dim=1),
        labels,
        torch.cat([queries, 1e6 * torch.ones(60, 1)], dim=1),
        num_classes=3,
    )
    assert torch.equal(got, linear_probe(features, labels, queries, num_classes=3))


def test_one_sample_is_enough() -> None:
    got = linear_probe(torch.ones(1, 2), torch.tensor([1]), torch.zeros(3, 2), num_classes=2)
    assert got.tolist() == [1, 1, 1]


def test_wrong_arguments_are_named() -> None:
    features, labels = overlapping_classes(6)
    with pytest.raises(ConfigError, match="l2 must be > 0, got 0"):
        linear_probe(features, labels, features, num_classes=3, l2=0)
    with pytest.raises(ValueError, match="N >= 1"):
        linear_probe(features[:0], labels[:0], features, num_classes=3)
