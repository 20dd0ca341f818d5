"""Greedy k-center against the traversal in plain loops."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select


def farthest_first_in_loops(vectors: list[list[float]], k: int, labelled: list[int]) -> list[int]:
    """Gonzalez 1985 with one distance at a time; a first pick nearest to the mean."""
    chosen, picks = list(labelled), []
    candidates = [i for i in range(len(vectors)) if i not in labelled]
    if not chosen:
        columns = [[vectors[i][d] for i in candidates] for d in range(len(vectors[0]))]
        mean = [math.fsum(column) / len(column) for column in columns]
        picks = [min(candidates, key=lambda i: (math.dist(vectors[i], mean), i))]
        chosen = list(picks)
    while len(picks) < k:
        best = max(
            (i for i in candidates if i not in chosen),
            key=lambda i: (min(math.dist(vectors[i], vectors[j]) for j in chosen), -i),
        )
        chosen.append(best)
        picks.append(best)
    return picks


def draw(n: int, d: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("labelled", [[], [3], [40, 7, 0, 22]])
def test_picks_equal_plain_loops(labelled: list[int]) -> None:
    vectors = draw(43, 5, seed=len(labelled))
    got = select(vectors, 20, strategy="kcenter", labelled=np.array(labelled, dtype=int))
    assert got.indices.tolist() == farthest_first_in_loops(vectors.tolist(), 20, labelled)


def test_distances_are_those_at_the_moment_of_the_pick() -> None:
    line = np.array([[0.0], [1.0], [4.0], [9.0], [16.0]])
    got = select(line, 3, strategy="kcenter", labelled=[0], names=["a", "b", "c", "d", "e"])
    assert got.indices.tolist() == [4, 3, 2]
    assert got.columns["distance"].tolist() == [16.0, 7.0, 4.0]
    assert got.reasons[1] == "farthest (7.00) from everything chosen or labelled before; nearest is e"
    assert got.reasons[2].endswith("nearest is a")


def test_with_nothing_labelled_the_first_pick_is_nearest_to_the_mean() -> None:
    got = select(np.array([[0.0], [5.0], [6.0], [13.0]]), 2, strategy="kcenter")
    assert got.indices.tolist() == [2, 3]
    assert math.isnan(got.columns["distance"][0])
    assert "nothing labelled yet" in got.reasons[0]


def test_ties_go_to_the_lowest_row() -> None:
    corners = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [0.0, 0.0]]) * 0.1
    assert select(corners, 5, strategy="kcenter", labelled=None).indices.tolist() == [4, 0, 1, 2, 3]


def test_copies_come_last_and_in_order() -> None:
    unit = draw(4, 64, seed=1)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    got = select(np.concatenate([unit, unit, unit]), 12, strategy="kcenter")
    assert sorted(got.indices[:4] % 4) == [0, 1, 2, 3]
    assert got.indices[4:].tolist() == sorted(got.indices[4:].tolist())
    assert got.columns["distance"][4:].tolist() == [0.0] * 8
    assert got.reasons[-1].startswith("a copy of sample ")


def test_a_prefix_is_the_smaller_selection() -> None:
    vectors = draw(200, 8, seed=2)
    whole, part = (select(vectors, k, strategy="kcenter").indices.tolist() for k in (50, 20))
    assert whole[:20] == part
