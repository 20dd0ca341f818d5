"""Coverage with weights and a narrowing kernel, against plain loops; what auto does with labels."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.kernel_coverage import Coverage
from sslcore.selection.placing import place
from sslcore.selection.pool import Pool
from sslcore.selection.strategies import auto
from sslcore.selection.vectors import Vectors


def draw(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def gains_in_loops(
    x: NDArray[np.float64], weights: NDArray[np.float64], chosen: list[int], pool: list[int], width: float
) -> dict[int, float]:
    """Of each candidate, what it adds to the weighted mean similarity to the nearest chosen."""
    alike = np.array([[math.exp(-(math.dist(a, b) ** 2) / width**2) for b in x] for a in x])
    total = math.fsum(weights[i] for i in pool)
    found = {}
    for u in pool:
        lacks = [max(0.0, alike[i, u] - max((alike[i, j] for j in chosen), default=0.0)) for i in pool]
        found[u] = math.fsum(weights[i] * lack for i, lack in zip(pool, lacks, strict=True)) / total
    return found


def best(gains: dict[int, float], taken: list[int]) -> int:
    return max((u for u in gains if u not in taken), key=lambda u: round(gains[u], 7))


def test_past_the_placed_ones_picks_are_greedy_and_the_kernel_narrows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auto, "TOGETHER", 4)
    x, labelled = draw(50, 3), [7]
    got = select(x, 16, strategy="auto", labelled=labelled)
    picks = got.indices[:4].tolist()
    assert picks == select(x, 4, strategy="auto", labelled=labelled).indices.tolist()
    pool = [row for row in range(50) if row not in [*labelled, *picks]]
    width, narrow_at = 0.0, 5
    for rank in range(4, 16):
        chosen = labelled + picks
        if len(chosen) == narrow_at:
            nearest = [min(math.dist(x[i], x[j]) for j in chosen) ** 2 for i in pool]
            width, narrow_at = math.sqrt(math.fsum(nearest) / len(pool)), math.ceil(1.5 * len(chosen))
        gains = gains_in_loops(x, np.ones(50), chosen, pool, width)
        picks.append(best(gains, picks))
        assert got.columns["coverage_gain"][rank] == pytest.approx(gains[picks[-1]], abs=2e-5)
    assert got.indices.tolist() == picks
    assert np.isnan(got.columns["group_share"]).tolist() == [False] * 4 + [True] * 12


def as_pool(x: NDArray[np.float64], labelled: list[int]) -> Pool:
    rows = np.arange(len(x))
    return Pool(Vectors(x), np.setdiff1d(rows, labelled), np.array(labelled, np.int64))


def test_placed_picks_are_nearest_to_weighted_means_around_what_is_labelled() -> None:
    # Three groups on a line; the one at 100 is labelled. In the first, the heavy sample draws the mean to it.
    x = np.array([[0.0], [1.0], [2.0], [50.0], [51.0], [100.0], [101.0]])
    weights = np.array([1.0, 1.0, 8.0, 1.0, 1.0, 1.0])
    places, shares = place(as_pool(x, [5]), 2, seed=0, weights_P=weights)
    assert places.tolist() == [2, 3]  # means 1.7 and 50.5, of which 50 is the lower row
    np.testing.assert_allclose(shares, [10 / 13, 2 / 13])
    places, _ = place(as_pool(x, [5]), 2, seed=0)
    assert places.tolist() == [1, 3]


def test_groups_that_lie_apart_get_a_pick_each() -> None:
    x = np.concatenate([draw(12, 2, seed=s) * 0.2 + [3 * s, s % 2] for s in range(5)])
    places, shares = place(as_pool(x, []), 5, seed=1)
    assert sorted(each // 12 for each in places.tolist()) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(shares, 0.2)


def test_copies_and_samples_without_weight_leave_groups_out() -> None:
    x = np.array([[0.0]] * 5 + [[1.0]] * 5)
    assert sorted(place(as_pool(x, []), 4, seed=0)[0].tolist()) == [0, 5]
    assert place(as_pool(x, [0, 9]), 4, seed=0)[0].tolist() == []
    only = np.array([0.0] * 5 + [1.0] * 5)
    assert place(as_pool(x, []), 1, seed=0, weights_P=only)[0].tolist() == [5]


def test_uncertainty_gets_a_larger_power_as_labels_come() -> None:
    labels = np.array([0, 1] + [-1] * 998)
    for count, power in ((1, 1.0), (10, 2.0), (100, 3.0)):
        labels[: 2 * count] = [0, 1] * count
        pool = Pool(
            Vectors(draw(1000, 2)), np.flatnonzero(labels < 0), np.flatnonzero(labels >= 0), labels=labels
        )
        assert auto._power(pool) == pytest.approx(power)


def test_uherding_counts_by_uncertainty_with_the_least_labelled_distance_as_width() -> None:
    x, rng = draw(40, 3, seed=2), np.random.default_rng(3)
    probs, labelled = rng.dirichlet(np.ones(3), size=40), [3, 11, 30]
    top = np.sort(probs, axis=1)
    weights = 1 - (top[:, -1] - top[:, -2])
    width = min(math.dist(x[a], x[b]) for a in labelled for b in labelled if a < b)
    got = select(x, 8, strategy="uherding", probs=probs, labelled=labelled)
    pool, picks = [i for i in range(40) if i not in labelled], list[int]()
    for _ in range(8):
        picks.append(best(gains_in_loops(x, weights, labelled + picks, pool, width), picks))
    assert got.indices.tolist() == picks
    np.testing.assert_allclose(got.columns["margin"], weights[picks], atol=1e-6)


def test_without_labels_uherding_covers_at_a_width_of_one() -> None:
    x = draw(40, 3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    got, picks = select(x, 6, strategy="uherding"), list[int]()
    for _ in range(6):
        picks.append(best(gains_in_loops(x, np.ones(40), picks, list(range(40)), 1.0), picks))
    assert got.indices.tolist() == picks
    assert np.isnan(got.columns["margin"]).all()


def test_narrowing_is_the_same_as_starting_narrow() -> None:
    pool = Pool(Vectors(draw(80, 4)), np.arange(5, 80), np.arange(5))
    one, two = Coverage(pool, seed=0, width=2.0), Coverage(pool, seed=0, width=0.9)
    one.narrow(0.9)
    np.testing.assert_allclose(one.gain_P.numpy(), two.gain_P.numpy(), atol=1e-6)
    nearest = [
        min(math.dist(pool.vectors.source[i], pool.vectors.source[j]) for j in range(5)) for i in range(5, 80)
    ]
    assert one.mean_square() == pytest.approx(np.mean(np.square(nearest)), rel=1e-3)


def test_with_labels_auto_prefers_what_is_between_the_classes() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(600, 2))
    labels = np.full(600, -1)
    labels[:40] = x[:40, 0] > 0
    got = select(x, 20, labels=labels, strategy="auto")
    bare = select(x, 20, labelled=np.arange(40), strategy="auto")
    assert np.abs(x[got.indices, 0]).mean() < 0.7 * np.abs(x[bare.indices, 0]).mean()
    assert "weighted by uncertainty" in got.reasons[0]


def test_of_a_large_pool_a_sample_competes_and_the_rest_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    from sslcore.selection import kernel_coverage as coverage

    defaults = dict(coverage.Coverage.__init__.__kwdefaults__ or {})
    given: Any = coverage.Coverage.__init__.__kwdefaults__
    monkeypatch.setitem(given, "most_candidates", 30)
    monkeypatch.setitem(given, "most_references", 20)
    assert defaults["most_candidates"] == coverage.MOST_CANDIDATES
    got = select(draw(100, 3), 100, strategy="uherding")
    assert sorted(got.indices.tolist()) == list(range(100))
    assert got.reasons[29].startswith("covers")
    assert got.reasons[30] == "fills the budget: it was not in the sample of the pool that competed"


def test_auto_is_the_default() -> None:
    x = draw(30, 3)
    assert select(x, 5).strategy == "auto"
    assert select(x, 5).indices.tolist() == select(x, 5, strategy="auto").indices.tolist()
