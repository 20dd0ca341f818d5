"""BADGE against gradients that are made in full."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.strategies import badge


def gradients(x: NDArray[np.float64], probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """One row C x D per sample, flattened, made one number at a time."""
    rows = []
    for h, p in zip(x.tolist(), probs.tolist(), strict=True):
        label = p.index(max(p))
        rows.append([(p[c] - (c == label)) * each for c in range(len(p)) for each in h])
    return np.array(rows)


def squared_distances(g: NDArray[np.float64], centres: list[int]) -> NDArray[np.float64]:
    return np.array([min(((row - g[c]) ** 2).sum() for c in centres) for row in g])


def seeding_in_loops(g: NDArray[np.float64], k: int, seed: int) -> list[int]:
    """k-means++ (Arthur & Vassilvitskii 2007), from the longest."""
    rng = np.random.default_rng(seed)
    picks = [int((g**2).sum(axis=1).argmax())]
    while len(picks) < k:
        total = np.cumsum(squared_distances(g, picks))
        picks.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return picks


def draw(n: int, d: int, c: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(c), size=n)


@pytest.mark.parametrize("seed", range(4))
def test_draws_equal_plain_seeding_on_full_gradients(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(badge, "CENTRES_AT_ONCE", 1)  # bounds are never stale, so nothing is rejected
    x, probs = draw(40, 5, 3, seed)
    got = select(x, 12, strategy="badge", probs=probs, seed=seed)
    assert got.indices.tolist() == seeding_in_loops(gradients(x, probs), 12, seed)


def test_columns_are_lengths_and_distances_of_full_gradients() -> None:
    x, probs = draw(30, 4, 3)
    g, got = gradients(x, probs), select(x, 10, strategy="badge", probs=probs)
    picks = got.indices.tolist()
    np.testing.assert_allclose(got.columns["gradient_length"], np.linalg.norm(g[picks], axis=1), rtol=1e-6)
    expected = [squared_distances(g, picks[:rank])[picks[rank]] ** 0.5 for rank in range(1, 10)]
    np.testing.assert_allclose(got.columns["gradient_distance"][1:], expected, rtol=1e-4)


def test_rejected_draws_leave_the_distribution_as_it_is() -> None:
    x, probs = draw(7, 3, 3, seed=5)
    g = gradients(x, probs)
    first = int((g**2).sum(axis=1).argmax())
    second = squared_distances(g, [first])
    expected = np.zeros(7)  # of the third pick
    for row in range(7):
        third = squared_distances(g, [first, row])
        expected += second[row] / second.sum() * third / max(third.sum(), 1e-300)
    counts = np.zeros(7)
    for seed in range(1500):
        counts[select(x, 3, strategy="badge", probs=probs, seed=seed).indices[2]] += 1
    # The largest standard deviation of a share is 0.013; four of them are allowed.
    assert abs(counts / 1500 - expected).max() < 0.052


def test_of_copies_and_of_certain_samples_one_is_drawn_before_the_rest() -> None:
    x, probs = draw(20, 3, 2)
    probs[:8] = [1.0, 0.0]
    x[15], probs[15] = x[14], probs[14]
    picks = select(x, 20, strategy="badge", probs=probs).indices.tolist()
    assert sorted(picks) == list(range(20))
    # 12 different gradients: that of the certain samples, which is 0 for all, and 11 others.
    assert len(set(range(8)) & set(picks[:12])) == 1
    assert len({14, 15} & set(picks[:12])) == 1
