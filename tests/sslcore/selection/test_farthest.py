"""The fast traversal against the traversal in plain loops, on vectors full of ties and copies."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.farthest import FarthestFirst
from sslcore.selection.strategies.kcenter import _Traversal


def by_the_book(
    vectors: NDArray[Any], k: int, labelled: list[int], weights: NDArray[np.float64] | None = None
) -> tuple[list[int], list[int]]:
    """Return picks and the nearest to each at that moment; distances are rounded to 2^-32 of the largest."""
    x = vectors.astype(np.float64)
    step = 2.0 ** (math.ceil(math.log2(max((row @ row) for row in x) * 1.01)) - 32)
    distance = [[round(float(((a - b) ** 2).sum()) / step) * step for b in x] for a in x]
    weight = np.ones(len(x)) if weights is None else weights
    open_ = [i for i in range(len(x)) if i not in labelled]
    chosen, picks, nearest = sorted(labelled), [], []
    if not chosen and weights is None:
        mean = x.mean(axis=0)
        first = min(open_, key=lambda i: (round(float(((x[i] - mean) ** 2).sum()) / step), i))
    elif not chosen:
        first = max(open_, key=lambda i: (weight[i], -i))
    if not chosen:
        chosen, picks, nearest = [first], [first], [-1]
        open_.remove(first)
    while len(picks) < k:
        pick = max(open_, key=lambda i: (min(distance[i][j] for j in chosen) * weight[i] ** 2, -i))
        nearest.append(min(chosen, key=lambda j: (distance[pick][j], chosen.index(j))))
        picks.append(pick)
        chosen.append(pick)
        open_.remove(pick)
    return picks, nearest


def grid(kind: str, n: int, seed: int) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    if kind == "bits":
        return rng.integers(0, 2, size=(n, 5)).astype(np.float32)
    if kind == "copies":
        return x[rng.integers(0, n // 3, n)].astype(np.float16)
    if kind == "lengths":
        return x * rng.lognormal(0, 2, size=(n, 1))
    return np.round(x).astype(np.float32)


@pytest.mark.parametrize(("block", "gram"), [(4, 4096), (1024, 1)])
@pytest.mark.parametrize("kind", ["bits", "copies", "lengths", "rounded"])
def test_picks_and_neighbours_equal_plain_loops(
    kind: str, block: int, gram: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sslcore.selection.farthest.BLOCK", block)
    monkeypatch.setattr("sslcore.selection.farthest.GRAM", gram)
    monkeypatch.setattr("sslcore.selection.largest.RESERVE", 1)  # and so few blocks are found in one look
    vectors, labelled = grid(kind, 61, seed=block), [] if kind == "bits" else [7, 20, 33]
    got = select(vectors, 58, strategy="kcenter", labelled=labelled)
    picks, nearest = by_the_book(vectors, 58, labelled)
    assert got.indices.tolist() == picks
    assert got.run is not None
    assert isinstance(got.run.steps, _Traversal)
    assert select_found(vectors, labelled, 58) == nearest


def select_found(vectors: NDArray[Any], labelled: list[int], k: int) -> list[int]:
    run = select(vectors, 1, strategy="kcenter", labelled=labelled).run
    assert run is not None
    return [int(position) for position in FarthestFirst(run.pool).take(k).nearest]


@pytest.mark.parametrize("labelled", [[], [3, 11]])
def test_coral_equals_plain_loops_with_weights(labelled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sslcore.selection.farthest.BLOCK", 8)
    vectors = grid("rounded", 50, seed=3)
    scores = np.random.default_rng(0).integers(0, 4, size=50) / 2.0
    got = select(vectors, 40, strategy="coral", labelled=labelled, scores={"sharpness": scores})
    assert got.indices.tolist() == by_the_book(vectors, 40, labelled, scores)[0]
    assert got.columns["sharpness"].tolist() == scores[got.indices].tolist()


def test_many_blocks_and_one_give_the_same_picks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(1).normal(size=(900, 16)).astype(np.float16)
    expected = select(vectors, 150, strategy="kcenter").indices.tolist()
    monkeypatch.setattr("sslcore.selection.farthest.BLOCK", 50)
    assert select(vectors, 150, strategy="kcenter").indices.tolist() == expected


def test_few_pairs_are_computed() -> None:
    vectors = np.random.default_rng(1).normal(size=(3000, 16)).astype(np.float32)
    run = select(vectors, 1, strategy="kcenter").run
    assert run is not None
    search = FarthestFirst(run.pool)
    search.take(500)
    assert search.num_pairs < 0.7 * 500 * 3000


def test_one_vector_only_is_picked_in_order() -> None:
    got = select(torch.zeros(9, 3), 9, strategy="kcenter")
    assert got.indices.tolist() == list(range(9))
