"""k-means-nearest: groups worked by hand, and what must hold for any input."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.clusters import COVERED, lloyd, means
from sslcore.selection.nearest import Points, nearest_points
from sslcore.selection.screen import Screen
from sslcore.selection.vectors import Vectors


def blobs(sizes: list[int], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    middles = 10.0 * np.eye(len(sizes))
    group = np.repeat(np.arange(len(sizes)), sizes)
    return middles[group] + 0.1 * rng.normal(size=(len(group), len(sizes))), group


def nearest_to_mean_in_loops(vectors: NDArray[np.float64], members: list[int]) -> int:
    mean = [sum(vectors[i, d] for i in members) / len(members) for d in range(vectors.shape[1])]
    return min(members, key=lambda i: sum((vectors[i, d] - mean[d]) ** 2 for d in range(vectors.shape[1])))


def test_the_member_nearest_to_each_mean_is_picked_largest_group_first() -> None:
    vectors, group = blobs([5, 20, 11, 30])
    got = select(vectors, 4, strategy="kmeans", seed=3)
    expected = [nearest_to_mean_in_loops(vectors, np.flatnonzero(group == g).tolist()) for g in (3, 1, 2, 0)]
    assert got.indices.tolist() == expected
    assert got.columns["cluster_size"].tolist() == [30, 20, 11, 5]
    assert got.reasons[0] == "nearest to the centre of a group of 30 samples, nothing is labelled yet"


def test_groups_with_a_labelled_sample_are_left_alone() -> None:
    vectors, group = blobs([20, 20, 20, 20])
    got = select(vectors, 2, strategy="kmeans", labelled=[0, 45])  # one of group 0, one of group 2
    assert sorted(group[got.indices].tolist()) == [1, 3]
    assert got.reasons[0] == "nearest to the centre of a group of 20 samples, none of them labelled yet"


def test_groups_equal_lloyd_in_plain_loops() -> None:
    rng = np.random.default_rng(5)
    vectors, labelled, centres = rng.normal(size=(60, 3)), rng.normal(size=(2, 3)), rng.normal(size=(6, 3))
    screen, everyone = Screen(Vectors(np.concatenate([vectors, labelled]))), np.arange(60)
    covered, _ = nearest_points(screen, everyone, Points(screen, labelled))
    groups, squared, _ = lloyd(screen, everyone, centres, covered, moving=0.0)
    for _ in range(100):
        # A labelled sample is a centre that never moves; it stands first, so it wins a tie.
        nearest = [
            min(range(-2, 6), key=lambda c: math.dist(v, labelled[c + 2] if c < 0 else centres[c]))
            for v in vectors
        ]
        for c in range(6):
            centres[c] = vectors[[i for i, n in enumerate(nearest) if n == c]].mean(axis=0)
    assert groups.tolist() == [max(n, -1) for n in nearest]
    assert -1 in groups
    own = [
        math.dist(v, labelled[n + 2] if n < 0 else centres[n]) for v, n in zip(vectors, nearest, strict=True)
    ]
    assert np.sqrt(squared).tolist() == pytest.approx(own)


def test_centres_on_the_sphere_equal_plain_loops() -> None:
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(60, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centres, free, screen = vectors[:5].copy(), np.full(60, np.inf), Screen(Vectors(vectors), longest=1.0)
    groups, squared, found = lloyd(screen, np.arange(60), centres, free, moving=0.0, on_sphere=True)
    for _ in range(100):
        nearest = [min(range(5), key=lambda c: math.dist(v, centres[c])) for v in vectors]
        for c in range(5):
            total = vectors[[i for i, n in enumerate(nearest) if n == c]].sum(axis=0)
            centres[c] = total / math.hypot(*total)
    assert groups.tolist() == nearest
    assert found == pytest.approx(centres)
    cosines = [float(vectors[i] @ centres[n]) for i, n in enumerate(nearest)]
    assert squared.tolist() == pytest.approx([2 - 2 * each for each in cosines])


@pytest.mark.parametrize("seed", range(5))
def test_no_pick_twice_and_none_labelled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.round(rng.normal(size=(80, 2)), 1)  # coarse: many ties and copies
    labelled = rng.choice(80, 15, replace=False)
    picked = select(vectors, 65, strategy="kmeans", labelled=labelled, seed=seed).indices.tolist()
    assert sorted(picked) == sorted(set(range(80)) - set(labelled.tolist()))


def test_fewer_different_samples_than_picks_are_filled_up() -> None:
    got = select(np.array([[0.0]] * 6 + [[1.0]] * 4), 4, strategy="kmeans")
    assert got.indices.tolist() == [0, 6, 1, 2]
    assert got.columns["cluster_size"].tolist() == [6, 4, 0, 0]
    assert got.reasons[2].startswith("fills the budget")


def test_a_group_that_runs_empty_moves_to_the_farthest_candidate() -> None:
    x, group = np.array([[0.0], [2.0], [10.0]]), np.array([0, 0, COVERED])
    covered = np.array([np.inf, np.inf, 9.0])
    moved = means(Screen(Vectors(x)), np.arange(3), group, np.array([[0.5], [7.0]]), covered)
    assert moved.tolist() == [[1.0], [10.0]]


def test_centres_are_found_on_a_sample_where_there_are_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sslcore.selection.clusters.SAMPLE", 8)
    vectors, group = blobs([50, 70, 60, 90])
    got = select(vectors, 4, strategy="kmeans", seed=1)
    assert sorted(group[got.indices].tolist()) == [0, 1, 2, 3]
    assert got.columns["cluster_size"].tolist() == [90, 70, 60, 50]


def test_the_seed_decides() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 4))
    first, again, other = (
        select(vectors, 10, strategy="kmeans", seed=seed).indices.tolist() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
