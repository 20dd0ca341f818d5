"""KoLeo against its equation in plain loops."""

import math

import pytest
import torch

from sslcore.errors import ConfigError
from sslcore.losses.koleo import koleo


def test_it_is_minus_the_mean_log_distance_to_the_nearest_other() -> None:
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    unit = [[x / math.hypot(*row) for x in row] for row in features.tolist()]
    nearest = [min(math.dist(a, b) for j, b in enumerate(unit) if j != i) for i, a in enumerate(unit)]
    expected = -sum(math.log(each) for each in nearest) / len(nearest)
    assert koleo(features).item() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(koleo(7 * features), koleo(features))


def test_two_opposite_samples_by_hand() -> None:
    assert koleo(torch.tensor([[1.0, 0.0], [-3.0, 0.0]])).item() == pytest.approx(-math.log(2), rel=1e-5)


def test_equal_rows_stay_finite_and_neighbours_are_pushed_apart() -> None:
    assert torch.isfinite(koleo(torch.ones(3, 4)))
    features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]], requires_grad=True)
    koleo(features).backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    step = features.detach() - 0.01 * features.grad
    assert koleo(step) < koleo(features)


def test_one_sample_has_no_neighbour() -> None:
    with pytest.raises(ConfigError, match="at least 2 samples in a process's batch, got 1"):
        koleo(torch.ones(1, 4))
