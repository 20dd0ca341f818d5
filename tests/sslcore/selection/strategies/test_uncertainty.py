"""Rankings by uncertainty and by disagreement, against plain loops."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.strategies import batchbald


def nats(p: list[float]) -> float:
    return -math.fsum(x * math.log(x) for x in p if x > 0)


def margin_in_loops(p: list[float]) -> float:
    first, second = sorted(p, reverse=True)[:2]
    return 1 - first + second


MEASURES: dict[str, Callable[[list[float]], float]] = {
    "margin": margin_in_loops,
    "least_confidence": lambda p: (1 - max(p)) * len(p) / (len(p) - 1),
    "entropy": lambda p: nats(p) / math.log(len(p)),
}


@pytest.mark.parametrize("strategy", sorted(MEASURES))
def test_the_least_sure_come_first(strategy: str) -> None:
    rng = np.random.default_rng(4)
    probs, x = rng.dirichlet(np.ones(4), size=30), rng.normal(size=(30, 2))
    got = select(x, 27, strategy=strategy, probs=probs, labelled=[0, 1, 2])
    figures = [MEASURES[strategy](p) for p in probs.tolist()]
    assert got.indices.tolist() == sorted(range(3, 30), key=lambda row: -figures[row])
    np.testing.assert_allclose(got.columns[strategy], [figures[row] for row in got.indices], atol=1e-6)


def test_ties_go_to_the_lowest_row_and_the_reason_has_both_figures() -> None:
    got = select(np.eye(5), 3, strategy="margin", probs=[[0.6, 0.4]] * 5)
    assert got.indices.tolist() == [0, 1, 2]
    assert got.reasons[0] == ("a close call: the model gives 0.60 to its first class and 0.40 to its second")


def several(m: int, n: int, c: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(c, 0.5), size=(m, n))


def bald_in_loops(probs: NDArray[np.float64], row: int) -> float:
    members = probs[:, row].tolist()
    mean = [math.fsum(column) / len(members) for column in zip(*members, strict=True)]
    return nats(mean) - math.fsum(nats(p) for p in members) / len(members)


def test_bald_equals_plain_loops() -> None:
    probs = several(5, 20, 3)
    got = select(np.eye(20), 20, strategy="bald", probs=probs)
    figures = [bald_in_loops(probs, row) for row in range(20)]
    assert got.indices.tolist() == sorted(range(20), key=lambda row: -figures[row])


def test_noise_that_all_models_agree_on_tells_nothing() -> None:
    probs = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
    got = select(np.eye(2), 2, strategy="bald", probs=probs)
    assert got.indices.tolist() == [1, 0]
    np.testing.assert_allclose(got.columns["bald"], [math.log(2), 0.0], atol=1e-7)


def test_votes_worked_by_hand() -> None:
    # Row 0: all one class; row 1: two to one; row 2: two to one and the models are surer.
    sure, unsure = [0.9, 0.1], [0.6, 0.4]
    probs = np.array([[sure, unsure, sure], [sure, unsure, sure], [sure, unsure[::-1], sure[::-1]]])
    got = select(np.eye(3), 3, strategy="committee", probs=probs)
    assert got.indices.tolist() == [2, 1, 0]
    np.testing.assert_allclose(got.columns["vote_entropy"][:2], [nats([2 / 3, 1 / 3])] * 2, atol=1e-7)
    assert got.reasons[0] == "a committee of 3 models votes 2 to 1"


def joint_in_loops(probs: NDArray[np.float64], rows: list[int]) -> float:
    """Mutual information of the labels of some rows with the model, over all joint outcomes."""
    outcomes = itertools.product(range(probs.shape[2]), repeat=len(rows))
    joint = [
        math.fsum(math.prod(model[row, y] for row, y in zip(rows, ys, strict=True)) for model in probs)
        / len(probs)
        for ys in outcomes
    ]
    own = math.fsum(nats(model[row].tolist()) for model in probs for row in rows) / len(probs)
    return nats(joint) - own


def greedy_in_loops(probs: NDArray[np.float64], k: int) -> list[int]:
    rows: list[int] = []
    for _ in range(k):
        left = [row for row in range(probs.shape[1]) if row not in rows]
        rows.append(max(left, key=lambda row: round(joint_in_loops(probs, [*rows, row]), 9)))
    return rows


def test_batchbald_equals_all_joint_outcomes() -> None:
    probs = several(4, 8, 3, seed=3)
    got = select(np.eye(8), 4, strategy="batchbald", probs=probs)
    assert got.indices.tolist() == greedy_in_loops(probs, 4)
    assert got.columns["information"].sum() == pytest.approx(
        joint_in_loops(probs, got.indices.tolist()), abs=1e-5
    )


def test_batchbald_does_not_pick_a_copy_where_bald_does() -> None:
    probs = several(4, 6, 2, seed=1)
    first = select(np.eye(5), 1, strategy="bald", probs=probs[:, :5]).indices[0]
    probs[:, 5] = probs[:, first]
    assert 5 in select(np.eye(6), 2, strategy="bald", probs=probs).indices
    assert 5 not in select(np.eye(6), 2, strategy="batchbald", probs=probs).indices


def test_drawn_outcomes_come_near_to_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    probs = several(6, 8, 4, seed=2)
    exact = select(np.eye(8), 4, strategy="batchbald", probs=probs)
    monkeypatch.setattr(batchbald, "CONFIGURATIONS", 60)  # of 4 ** 3
    drawn = select(np.eye(8), 4, strategy="batchbald", probs=probs)
    assert drawn.columns["information"].sum() == pytest.approx(exact.columns["information"].sum(), abs=0.05)
