"""The door: what every strategy must keep, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection import STRATEGIES, select
from sslcore.selection.objectives import Diversity
from sslcore.selection.strategies import PICKERS


def unit_vectors(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def needed(strategy: str, labelled: list[int], total: int) -> dict[str, Any]:
    """What a strategy needs beside embeddings: labels of two classes, or a plan."""
    if "objectives" in PICKERS[strategy].needs:
        return {"objectives": [Diversity()], "labelled": labelled}
    labels = np.full(total, -1)
    labels[labelled] = np.arange(len(labelled)) % 2
    return {"labels": labels} if PICKERS[strategy].needs else {"labelled": labelled}


def test_every_strategy_has_a_line_about_it() -> None:
    assert set(STRATEGIES) == set(PICKERS)
    assert all("\n" not in line and line for line in STRATEGIES.values())


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_picks_are_different_unlabelled_and_explained(strategy: str) -> None:
    given = needed(strategy, [0, 13, 49], 50)
    got = select(unit_vectors(50, 6), 12, strategy=strategy, seed=4, **given)
    assert len(set(got.indices.tolist())) == 12
    assert not set(got.indices.tolist()) & {0, 13, 49}
    assert len(got.reasons) == 12
    assert all(len(column) == 12 for column in got.columns.values())


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_the_whole_pool_can_be_picked_to_its_last_row(strategy: str) -> None:
    got = select(unit_vectors(17, 3), 15, strategy=strategy, **needed(strategy, [2, 3], 17))
    assert sorted(got.indices.tolist()) == [0, 1, *range(4, 17)]


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_picks_do_not_depend_on_threads_or_blocks(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(701, 48)
    vectors[350:700] = vectors[:350]  # copies: every choice between two of them is a tie
    threads = torch.get_num_threads()
    found = []
    try:
        for count, block in ((1, 8_000_000), (2, 8_000_000), (4, 977)):
            torch.set_num_threads(count)
            monkeypatch.setattr("sslcore.selection.distances.PAIRS_AT_ONCE", block)
            given = needed(strategy, [1, 2, 699], 701)
            found.append(select(vectors, 60, strategy=strategy, **given).indices.tolist())
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_and_tensors_of_any_float_give_the_same_picks(dtype: str) -> None:
    vectors = np.round(unit_vectors(40, 4), 2).astype(np.float16)
    expected = select(vectors, 8, strategy="kcenter").indices.tolist()
    assert select(vectors.astype(dtype), 8, strategy="kcenter").indices.tolist() == expected
    assert select(torch.from_numpy(vectors.astype(dtype)), 8, strategy="kcenter").indices.tolist() == expected


def test_random_draws_evenly() -> None:
    counts = np.zeros(6)
    for seed in range(600):
        counts[select(np.zeros((6, 1)), 2, strategy="random", seed=seed).indices] += 1
    # Each is expected 200 times with a standard deviation of 11.5; five of them is 58.
    assert abs(counts - 200).max() < 58


def test_a_wrong_argument_is_named() -> None:
    vectors = unit_vectors(10, 3)
    with pytest.raises(ConfigError, match="strategy must be one of .*got 'kcentre'; did you mean 'kcenter'"):
        select(vectors, 1, strategy="kcentre")
    with pytest.raises(ConfigError, match="k must be >= 1, got 0"):
        select(vectors, 0)
    with pytest.raises(UserError, match="k must be at most the 9 samples that can be picked, got 10"):
        select(vectors, 10, labelled=[3])
    with pytest.raises(UserError, match="labelled names 1 rows twice"):
        select(vectors, 1, labelled=[3, 3])
    with pytest.raises(UserError, match="row numbers from 0 to 9, got 3 to 10"):
        select(vectors, 1, labelled=[3, 10])
    with pytest.raises(UserError, match=r"mask of labelled rows must be \[10\]"):
        select(vectors, 1, labelled=np.zeros(9, dtype=bool))
    with pytest.raises(UserError, match="names must be one for each of 10"):
        select(vectors, 1, names=["a"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(bad: float) -> None:
    vectors = unit_vectors(10, 3)
    vectors[7, 1] = bad
    with pytest.raises(UserError, match="1 of 10 embeddings hold NaN or infinity, first in row 7"):
        select(vectors, 2)
