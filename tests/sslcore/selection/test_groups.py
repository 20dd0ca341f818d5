"""typiclust, hierarchical and stratified against plain loops and numbers worked by hand."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection import select
from sslcore.selection.strategies.hierarchical import share_evenly


def blobs(sizes: list[int], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    return 10.0 * np.eye(len(sizes))[group] + 0.3 * rng.normal(size=(len(group), len(sizes))), group


def most_typical_in_loops(x: NDArray[np.float64], members: list[int]) -> int:
    count = min(20, len(members) // 2)

    def mean_distance(i: int) -> float:
        return sum(sorted(math.dist(x[i], x[j]) for j in members if j != i)[:count]) / count

    return min(members, key=lambda i: (mean_distance(i), i))


def test_typiclust_picks_the_most_typical_of_the_largest_groups_without_labels() -> None:
    x, group = blobs([30, 50, 12, 41, 20])
    got = select(x, 3, strategy="typiclust", labelled=[35, 60])  # both of group 1
    expected = [most_typical_in_loops(x, np.flatnonzero(group == number).tolist()) for number in (3, 0, 4)]
    assert got.indices.tolist() == expected
    assert got.columns["cluster_size"].tolist() == [41, 30, 20]
    assert got.reasons[0] == "most typical of a group of 41 samples, none of them labelled"


def test_typiclust_takes_turns_and_leaves_small_groups_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sslcore.selection.strategies.typiclust.MAX_GROUPS", 3)
    x, group = blobs([20, 8, 4])
    got = select(x, 32, strategy="typiclust")
    assert group[got.indices[:16]].tolist() == [0, 1] * 8
    assert group[got.indices[16:28]].tolist() == [0] * 12
    assert group[got.indices[28:]].tolist() == [2] * 4
    members = np.flatnonzero(group == 0).tolist()
    for pick in got.indices[:16:2].tolist():
        assert pick == most_typical_in_loops(x, members)
        members.remove(pick)


def test_shares_are_as_even_as_they_can_be() -> None:
    room, used = np.array([5, 1, 9, 0, 4]), np.array([0, 0, 2, 0, 0])
    assert share_evenly(6, room, used).tolist() == [3, 1, 0, 0, 2]
    assert share_evenly(19, room, used).tolist() == room.tolist()
    assert share_evenly(0, room, used).tolist() == [0] * 5
    for budget in range(20):
        shares = share_evenly(budget, room, used)
        assert shares.sum() == budget
        assert (shares <= room).all()
        totals = (shares + used)[shares < room]  # who could take more has at least what others got, less 1
        assert all(totals >= (shares + used)[shares > 0].max(initial=0) - 1)


def test_hierarchical_evens_out_a_long_tail() -> None:
    x, group = blobs([400, 40, 30, 20, 10])
    got = select(x, 50, strategy="hierarchical", seed=1)
    share = np.bincount(group[got.indices]) / 50
    assert share[0] < 0.6  # of 80 % of the pool
    assert (share[1:] >= np.array([40, 30, 20, 10]) / 500).all()
    assert got.columns["group"][:3].tolist() != [got.columns["group"][0]] * 3


def test_hierarchical_takes_what_is_nearest_to_the_centres() -> None:
    x, _ = blobs([50, 50])
    got = select(x, 10, strategy="hierarchical")
    assert (got.columns["centre_distance"] < 1.0).all()


def test_stratified_keeps_the_shares_in_every_prefix() -> None:
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    got = select(
        np.random.default_rng(0).normal(size=(100, 3)), 50, strategy="stratified", labels=labels, labelled=[0]
    )
    for n in range(1, 51):
        had = np.bincount(
            [ord(labels[row]) - ord("a") for row in [0, *got.indices[:n].tolist()]], minlength=3
        )
        assert (abs(had - np.array([0.6, 0.3, 0.1]) * (n + 1)) <= 1.0).all()
    assert got.reasons[0].startswith("drawn at random among class ")


def test_stratified_goes_by_predictions_where_no_class_is_known() -> None:
    probs = np.repeat([[0.9, 0.1], [0.2, 0.8]], [15, 5], axis=0)
    got = select(np.zeros((20, 1)), 8, strategy="stratified", probs=probs)
    assert sorted((got.indices >= 15).tolist()) == [False] * 6 + [True] * 2
    with pytest.raises(UserError, match="strategy 'stratified' needs the class of candidates"):
        select(np.zeros((20, 1)), 8, strategy="stratified")
