"""Coverage with weights and a narrowing kernel, against plain loops; what auto does with labels."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.coverage import ONE
from sslcore.selection.pool import Pool
from sslcore.selection.strategies import auto
from sslcore.selection.vectors import Vectors


def draw(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def gains_in_loops(x: NDArray[np.float64], chosen: list[int], width: float) -> dict[int, float]:
    """Of each candidate, what it adds to the mean similarity to the nearest chosen, in whole numbers."""
    alike = [[round(ONE * math.exp(-(math.dist(a, b) ** 2) / width**2)) for b in x] for a in x]
    best = [max((row[j] for j in chosen), default=0) for row in alike]
    rows, left = range(len(x)), [u for u in range(len(x)) if u not in chosen]
    return {u: sum(max(0, alike[i][u] - best[i]) for i in rows) / ONE / len(x) for u in left}


def test_past_the_placed_ones_picks_are_greedy_and_the_kernel_narrows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auto, "TOGETHER", 4)
    x, labelled = draw(50, 3), [7]
    got = select(x, 16, strategy="auto", labelled=labelled)
    picks = got.indices[:4].tolist()
    assert picks == select(x, 4, strategy="auto", labelled=labelled).indices.tolist()
    width, narrow_at = 0.0, 5
    for rank in range(4, 16):
        chosen = labelled + picks
        if len(chosen) == narrow_at:
            nearest = [min(math.dist(x[i], x[j]) for j in chosen) ** 2 for i in range(50) if i not in chosen]
            width, narrow_at = math.sqrt(math.fsum(nearest) / len(nearest)), math.ceil(1.5 * len(chosen))
        gains = gains_in_loops(x, chosen, width)
        picks.append(max(gains, key=lambda u: (gains[u], -u)))
        assert got.columns["coverage_gain"][rank] == pytest.approx(gains[picks[-1]])
    assert got.indices.tolist() == picks
    assert np.isnan(got.columns["group_share"]).tolist() == [False] * 4 + [True] * 12


def place(x: Any, labelled: list[int], k: int, weights: Any = None, seed: int = 0) -> Any:
    """Return what auto places, and the share of the weight of each."""
    vectors, rows = Vectors(np.array(x)), np.arange(len(x))
    pool = Pool(vectors, np.setdiff1d(rows, labelled), np.array(labelled, np.int64))
    given = None if weights is None else np.array(weights)
    got = auto._place(pool, k, seed, given, np.full(len(x), math.nan))
    return got.indices.tolist(), got.columns["group_share"]


def test_placed_picks_are_nearest_to_weighted_means_around_what_is_labelled() -> None:
    # Three groups on a line; the one at 100 is labelled. In the first, the heavy sample draws the mean to it.
    x = [[0.0], [1.0], [2.0], [50.0], [51.0], [100.0], [101.0]]
    places, shares = place(x, [5], 2, [1.0, 1.0, 8.0, 1.0, 1.0, 9.0, 1.0])
    assert places == [2, 3]  # means 1.7 and 50.5, of which 50 is the lower row
    np.testing.assert_allclose(shares, [10 / 13, 2 / 13])
    assert place(x, [5], 2)[0] == [1, 3]


def test_groups_that_lie_apart_get_a_pick_each() -> None:
    x = np.concatenate([draw(12, 2, seed=s) * 0.2 + [3 * s, s % 2] for s in range(5)])
    places, shares = place(x, [], 5, seed=1)
    assert sorted(each // 12 for each in places) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(shares, 0.2)


def test_copies_and_samples_without_weight_leave_groups_out() -> None:
    x = [[0.0]] * 5 + [[1.0]] * 5
    assert sorted(place(x, [], 4)[0]) == [0, 5]
    assert place(x, [0, 9], 4)[0] == []
    assert place(x, [], 1, [0.0] * 5 + [1.0] * 5)[0] == [5]


def test_with_few_labels_the_largest_groups_without_one_are_next() -> None:
    # Groups of 4, 3, 2 and 3 on a line; the first and the last are labelled.
    x = np.array([[0.0], [1], [2], [3], [40], [41], [42], [70], [72], [100], [101], [102]])
    labels = np.full(12, -1)
    labels[[1, 9]] = 0, 1
    got = select(x, 2, strategy="auto", labels=labels)
    assert got.indices.tolist() == [5, 7]  # in the middle of 3; of 2 the lower row
    assert got.columns["group_share"].tolist() == [3 / 12, 2 / 12]
    assert "none of it labelled" in got.reasons[0]


@pytest.mark.parametrize("spread", [0.0, 0.2])
def test_groups_of_unit_vectors_are_around_directions_and_of_others_around_means(spread: float) -> None:
    rng = np.random.default_rng(3)
    x = draw(150, 3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x *= 1 + spread * rng.random((150, 1))
    found = auto._groups(Vectors(x), np.arange(150), 5, rng)
    for number, centre in enumerate(found.centres):
        mean = x[found.group == number].mean(axis=0)
        length = 1.0 if spread else math.hypot(*mean)
        assert centre.tolist() == pytest.approx((mean / length).tolist())
    nearest = [min(range(5), key=lambda c: math.dist(row, found.centres[c])) for row in x]
    assert found.group.tolist() == nearest


def test_the_best_of_many_starts_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.concatenate([draw(30, 2, seed=s) * 0.05 + [3 * (s // 2), s % 2 * 0.8] for s in range(12)])

    def missed(seed: int) -> int:
        picks = select(x, 12, strategy="auto", seed=seed).indices.tolist()
        return 12 - len({each // 30 for each in picks})

    assert sum(map(missed, range(20))) == 0
    monkeypatch.setattr(auto, "STARTS", 1)
    monkeypatch.setattr(auto, "MANY_STARTS", 0)
    assert sum(map(missed, range(20))) > 0


def test_copies_make_fewer_groups_and_coverage_picks_the_rest() -> None:
    x = np.array([[0.0]] * 5 + [[1.0]] * 5)
    assert len(set(select(x, 9, strategy="auto", labelled=[0]).indices.tolist())) == 9


def test_ten_labels_of_each_class_are_enough_to_ask_a_classifier() -> None:
    x, labels = draw(200, 2), np.full(200, -1)
    labels[:18] = [0, 1] * 9
    assert "none of it labelled" in select(x, 5, strategy="auto", labels=labels).reasons[0]
    labels[18:20] = 0, 1
    assert "weighted by uncertainty" in select(x, 5, strategy="auto", labels=labels).reasons[0]


def test_uncertainty_gets_a_larger_power_as_labels_come() -> None:
    labels = np.array([0, 1] + [-1] * 998)
    for count, power in ((1, 0.25), (50, 0.25), (100, 0.5), (400, 2.0), (490, 2.45)):
        labels[: 2 * count] = [0, 1] * count
        pool = Pool(
            Vectors(draw(1000, 2)), np.flatnonzero(labels < 0), np.flatnonzero(labels >= 0), labels=labels
        )
        assert auto._power(pool) == pytest.approx(power)


def test_with_labels_auto_prefers_what_is_between_the_classes() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(600, 2))
    labels = np.full(600, -1)
    labels[:40] = x[:40, 0] > 0
    got = select(x, 20, labels=labels, strategy="auto")
    bare = select(x, 20, labelled=np.arange(40), strategy="auto")
    assert np.abs(x[got.indices, 0]).mean() < 0.7 * np.abs(x[bare.indices, 0]).mean()
    assert "weighted by uncertainty" in got.reasons[0]


def test_auto_is_the_default() -> None:
    x = draw(30, 3)
    assert select(x, 5).strategy == "auto"
    assert select(x, 5).indices.tolist() == select(x, 5, strategy="auto").indices.tolist()
