"""BAIT against traces that are worked out anew for each choice."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.head import PENALTY
from sslcore.selection.strategies import bait


def bait_in_loops(
    x: NDArray[np.float64], probs: NDArray[np.float64], labelled: list[int], k: int
) -> list[int]:
    x = x - x.mean(axis=0)
    x = x / np.sqrt((x**2).sum(axis=1).mean())
    information = []
    for vector, p in zip(x, probs, strict=True):
        information.append(max(p) * (1 - max(p)) * np.outer(vector, vector))
    whole = np.sum(information, axis=0)

    def trace(rows: list[int]) -> float:
        known = PENALTY * np.eye(x.shape[1]) + np.sum(
            [information[row] for row in [*labelled, *rows]], axis=0
        )
        return float(np.trace(np.linalg.inv(known) @ whole))

    rows: list[int] = []
    left = [row for row in range(len(x)) if row not in labelled]
    for _ in range(min(2 * k, len(left))):
        rows.append(min((row for row in left if row not in rows), key=lambda row: trace([*rows, row])))
    while len(rows) > k:
        rows.remove(min(rows, key=lambda row: trace([each for each in rows if each != row])))
    return rows


@pytest.mark.parametrize("labelled", [[], [3, 8]])
@pytest.mark.parametrize("fresh_every", [4, 64])
def test_picks_equal_plain_loops(
    labelled: list[int], fresh_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bait, "FRESH_EVERY", fresh_every)
    rng = np.random.default_rng(len(labelled))
    x, probs = rng.normal(size=(24, 4)), rng.dirichlet(np.ones(3), size=24)
    got = select(x, 6, strategy="bait", probs=probs, labelled=np.array(labelled, int))
    assert got.indices.tolist() == bait_in_loops(x, probs, labelled, 6)


def test_certain_samples_come_last() -> None:
    rng = np.random.default_rng(0)
    x, probs = rng.normal(size=(12, 3)), np.full((12, 2), 0.5)
    probs[:5] = [0.0, 1.0]
    picks = select(x, 7, strategy="bait", probs=probs).indices.tolist()
    assert sorted(picks) == list(range(5, 12))
