"""Collapse measures against closed forms and hand-worked numbers."""

import math

import pytest
import torch

from sslcore.evaluation.collapse import alignment, effective_rank, feature_std, uniformity


def test_effective_rank_of_an_identity_is_its_size() -> None:
    assert effective_rank(3.0 * torch.eye(16)) == pytest.approx(16, abs=1e-6)


def test_effective_rank_of_copies_of_one_sample_is_one() -> None:
    assert effective_rank(torch.tensor([[0.3, -2.0, 5.0]]).repeat(50, 1)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4)])
def test_effective_rank_of_two_unequal_singular_values(shape: tuple[int, int]) -> None:
    features = torch.zeros(shape)
    features[0, 0], features[1, 1] = 3.0, 1.0
    by_hand = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert effective_rank(features) == pytest.approx(by_hand, abs=1e-6)


def test_effective_rank_equals_the_singular_value_decomposition() -> None:
    features = torch.randn(40, 9, generator=torch.Generator().manual_seed(0)).double()
    shares = [float(s) for s in torch.linalg.svdvals(features)]
    shares = [s / sum(shares) for s in shares]
    assert effective_rank(features) == pytest.approx(
        math.exp(-sum(p * math.log(p) for p in shares)), rel=1e-9
    )


def test_feature_std_of_evenly_spread_directions_is_one_over_root_d() -> None:
    features = torch.cat([torch.eye(16), -torch.eye(16)])
    assert feature_std(features * 7.0) == pytest.approx(0.25)


def test_feature_std_of_one_direction_is_zero() -> None:
    assert feature_std(torch.tensor([[1.0, 2.0], [2.0, 4.0], [10.0, 20.0]])) == pytest.approx(0, abs=1e-8)


def test_feature_std_in_plain_loops() -> None:
    rows = [[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]]
    unit = [[0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]]
    stds = []
    for column in zip(*unit, strict=True):
        mean = sum(column) / 3
        stds.append(math.sqrt(sum((value - mean) ** 2 for value in column) / 3))
    assert feature_std(torch.tensor(rows)) == pytest.approx(sum(stds) / 2)


def test_degenerate_features_have_defined_measures() -> None:
    assert effective_rank(torch.zeros(3, 2)) == 0
    assert math.isnan(effective_rank(torch.tensor([[1.0, math.nan]])))
    assert feature_std(torch.ones(1, 4)) == 0
    with pytest.raises(ValueError, match="N, D >= 1"):
        effective_rank(torch.zeros(0, 4))


def test_alignment_by_hand() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    b = torch.tensor([[5.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert alignment(a, b) == pytest.approx((0 + 2 + 4) / 3)


def test_uniformity_is_the_mean_over_pairs_by_plain_loops() -> None:
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    unit = [row / row.norm() for row in x]
    terms = [
        math.exp(-2 * float((unit[i] - unit[j]).square().sum())) for i in range(7) for j in range(i + 1, 7)
    ]
    assert uniformity(x) == pytest.approx(math.log(sum(terms) / len(terms)), abs=1e-5)


def test_one_point_is_not_uniform_at_all() -> None:
    assert uniformity(torch.ones(5, 4)) == pytest.approx(0.0, abs=1e-9)


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(ValueError, match="at least two samples, got 1"):
        uniformity(torch.ones(1, 4))
    with pytest.raises(ValueError, match="row for row"):
        alignment(torch.ones(2, 4), torch.ones(3, 4))
