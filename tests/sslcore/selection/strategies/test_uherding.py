"""UHerding against the greedy choice in plain loops, on kernels and weights of whole numbers."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.coverage import HEAVIEST, ONE
from sslcore.selection.strategies import uherding


def draw(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def herding_in_loops(
    x: NDArray[np.float64], weights: list[float], chosen: list[int], k: int, width: float
) -> tuple[list[int], list[float]]:
    n, counts = len(x), [round(weight / max(weights) * HEAVIEST) for weight in weights]
    alike = [[round(ONE * math.exp(-(math.dist(a, b) ** 2) / width**2)) for b in x] for a in x]
    picks, gains = list[int](), list[float]()
    while len(picks) < k:
        best = [max((alike[i][j] for j in [*chosen, *picks]), default=0) for i in range(n)]
        gain = {
            u: sum(counts[i] * max(0, alike[i][u] - best[i]) for i in range(n))
            for u in range(n)
            if u not in [*chosen, *picks]
        }
        picks.append(max(gain, key=lambda u: (gain[u], -u)))
        gains.append(gain[picks[-1]] / ONE / sum(counts))
    return picks, gains


def test_it_counts_by_uncertainty_with_the_least_labelled_distance_as_width() -> None:
    x, rng = draw(40, 3, seed=2), np.random.default_rng(3)
    probs, labelled = rng.dirichlet(np.ones(3), size=40), [3, 11, 30]
    top = np.sort(probs, axis=1)
    weights = 1 - (top[:, -1] - top[:, -2])
    width = min(math.dist(x[a], x[b]) for a in labelled for b in labelled if a < b)
    got = select(x, 8, strategy="uherding", probs=probs, labelled=labelled)
    picks, gains = herding_in_loops(x, weights.tolist(), labelled, 8, width)
    assert got.indices.tolist() == picks
    np.testing.assert_allclose(got.columns["coverage_gain"], gains, atol=1e-4)
    np.testing.assert_allclose(got.columns["margin"], weights[picks], atol=1e-6)
    assert "weighted by uncertainty; its own margin is" in got.reasons[0]


def test_without_labels_it_covers_at_a_width_of_one() -> None:
    x = draw(40, 3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    got = select(x, 6, strategy="uherding")
    assert got.indices.tolist() == herding_in_loops(x, [1.0] * 40, [], 6, 1.0)[0]
    assert np.isnan(got.columns["margin"]).all()
    assert got.indices.tolist() == select(x, 6, strategy="maxherding").indices.tolist()


@pytest.mark.parametrize("at_once", [2, 1024])
def test_copies_do_not_make_the_kernel_vanish(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uherding, "ROWS_AT_ONCE", at_once)
    x = np.array([[0.0], [0.0], [3.0], [1.0], [3.5], [9.0]])
    run = select(x, 1, strategy="random", labelled=[0, 1, 2, 4]).run
    assert run is not None
    assert uherding._width(run.pool) == pytest.approx(0.5)
