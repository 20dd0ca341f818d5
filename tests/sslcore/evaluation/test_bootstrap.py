"""Intervals against a bootstrap that draws sample by sample."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sslcore.evaluation.bootstrap import accuracy_interval, difference_interval


def outcomes(seed: int, share: float, total: int = 200) -> Tensor:
    return torch.rand(total, generator=torch.Generator().manual_seed(seed)) < share


def drawn_one_by_one(values: np.ndarray, confidence: float) -> tuple[float, float]:
    rng = np.random.default_rng(7)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(4000)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_an_accuracy_has_the_interval_of_resampled_samples(confidence: float) -> None:
    correct = outcomes(0, 0.8)
    found = accuracy_interval(correct, confidence=confidence)
    assert found.estimate == float(correct.double().mean())
    expected = drawn_one_by_one(correct.double().numpy(), confidence)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.011)


def test_a_difference_is_paired() -> None:
    one, other = outcomes(0, 0.8), outcomes(1, 0.7)
    found = difference_interval(one, other)
    paired = one.double().numpy() - other.double().numpy()
    assert found.estimate == pytest.approx(paired.mean())
    assert (found.low, found.high) == pytest.approx(drawn_one_by_one(paired, 0.95), abs=0.011)
    same = difference_interval(one, one)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_the_seed_decides_the_resamples() -> None:
    correct = outcomes(0, 0.5, total=1000)
    assert accuracy_interval(correct, seed=1) == accuracy_interval(correct, seed=1)
    assert accuracy_interval(correct, seed=1) != accuracy_interval(correct, seed=2)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        accuracy_interval(torch.empty(0, dtype=torch.bool))
    with pytest.raises(ValueError, match="confidence must be between 0 and 1, got 1"):
        accuracy_interval(outcomes(0, 0.5), confidence=1)
    with pytest.raises(ValueError, match=r"same samples, got \[200\] and \[3\]"):
        difference_interval(outcomes(0, 0.5), outcomes(0, 0.5, total=3))
