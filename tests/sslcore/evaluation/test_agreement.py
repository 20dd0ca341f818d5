"""Agreement of groups and classes against scikit-learn and numbers worked by hand."""

import numpy as np
import pytest

from sslcore.evaluation.agreement import agreement


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 4, 60)
    groups = np.where(rng.random(60) < 0.6, classes, rng.integers(0, 6, 60))
    found = agreement(groups, classes)
    assert found.nmi == pytest.approx(metrics.normalized_mutual_info_score(classes, groups))
    assert found.ari == pytest.approx(metrics.adjusted_rand_score(classes, groups))


def test_purity_counts_the_most_common_class_of_each_group() -> None:
    assert agreement(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0])).purity == 3 / 5


def test_the_same_partition_under_other_numbers_is_perfect() -> None:
    classes = np.array([0, 0, 1, 1, 2])
    found = agreement(np.array([2, 2, 0, 0, 5]), classes)
    assert (found.nmi, found.ari, found.purity) == pytest.approx((1, 1, 1))
    whole = agreement(np.zeros(3, np.int64), np.zeros(3, np.int64))
    assert (whole.nmi, whole.ari, whole.purity) == (1, 1, 1)


def test_groups_that_say_nothing_agree_no_more_than_chance() -> None:
    found = agreement(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    assert found.nmi == pytest.approx(0, abs=1e-12)
    assert found.ari == pytest.approx(-0.5)


def test_lengths_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"got \[2\] and \[3\]"):
        agreement(np.zeros(2, np.int64), np.zeros(3, np.int64))
