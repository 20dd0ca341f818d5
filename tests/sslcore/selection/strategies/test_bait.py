"""BAIT against traces that are worked out anew for each choice."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import fisher, select
from sslcore.selection.head import PENALTY
from sslcore.selection.strategies import bait


def sample_information(
    vector: NDArray[np.float64], p: NDArray[np.float64], binary: bool
) -> NDArray[np.float64]:
    if binary:
        return np.asarray(max(p) * (1 - max(p)) * np.outer(vector, vector))
    classes = range(len(p))
    curve = [[p[a] * ((a == b) - p[b]) for b in classes] for a in classes]
    return np.kron(curve, np.outer(vector, vector))


def bait_in_loops(
    x: NDArray[np.float64], probs: NDArray[np.float64], labelled: list[int], k: int, binary: bool
) -> list[int]:
    x = x - x.mean(axis=0)
    x = x / np.sqrt((x**2).sum(axis=1).mean())
    each = [sample_information(vector, p, binary) for vector, p in zip(x, probs, strict=True)]
    whole = np.sum(each, axis=0)

    def trace(rows: list[int]) -> float:
        known = PENALTY * np.eye(len(whole)) + np.sum([each[row] for row in [*labelled, *rows]], axis=0)
        return float(np.trace(np.linalg.inv(known) @ whole))

    rows: list[int] = []
    left = [row for row in range(len(x)) if row not in labelled]
    for _ in range(min(2 * k, len(left))):
        rows.append(min((row for row in left if row not in rows), key=lambda row: trace([*rows, row])))
    while len(rows) > k:
        rows.remove(min(rows, key=lambda row: trace([each for each in rows if each != row])))
    return rows


@pytest.mark.parametrize("labelled", [[], [3, 8]])
@pytest.mark.parametrize("fresh_every", [4, 512])
@pytest.mark.parametrize("largest", [0, 4096])
def test_picks_equal_plain_loops(
    labelled: list[int], fresh_every: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fisher, "FRESH_EVERY", fresh_every)
    monkeypatch.setattr(bait, "LARGEST", largest)
    rng = np.random.default_rng(len(labelled))
    x, probs = rng.normal(size=(24, 4)), rng.dirichlet(np.ones(3), size=24)
    got = select(x, 6, strategy="bait", probs=probs, labelled=np.array(labelled, int))
    assert got.indices.tolist() == bait_in_loops(x, probs, labelled, 6, binary=largest == 0)


def test_factors_give_the_curvature_of_the_softmax() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=3)
    for row, b in zip(p, fisher.factors(p), strict=True):
        np.testing.assert_allclose(b @ b.T, np.diag(row) - np.outer(row, row), atol=1e-12)


def test_of_a_large_pool_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bait, "NUMBERS", 1)
    rng = np.random.default_rng(1)
    x, probs = rng.normal(size=(40, 3)), rng.dirichlet(np.ones(2), size=40)
    assert len(set(select(x, 9, strategy="bait", probs=probs, labelled=[1]).indices.tolist()) - {1}) == 9


def test_certain_samples_come_last() -> None:
    rng = np.random.default_rng(0)
    x, probs = rng.normal(size=(12, 3)), np.full((12, 2), 0.5)
    probs[:5] = [0.0, 1.0]
    picks = select(x, 7, strategy="bait", probs=probs).indices.tolist()
    assert sorted(picks) == list(range(5, 12))
