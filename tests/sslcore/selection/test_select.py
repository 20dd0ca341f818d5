"""The door: what every strategy must keep, and what is refused."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection import STRATEGIES, select
from sslcore.selection.strategies import PICKERS


def unit_vectors(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_every_strategy_has_a_line_about_it() -> None:
    assert set(STRATEGIES) == set(PICKERS)
    assert all("\n" not in line and line for line in STRATEGIES.values())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_and_tensors_of_any_float_give_the_same_picks(dtype: str) -> None:
    vectors = np.round(unit_vectors(40, 4), 2).astype(np.float16)
    expected = select(vectors, 8, strategy="kcenter").indices.tolist()
    assert select(vectors.astype(dtype), 8, strategy="kcenter").indices.tolist() == expected
    assert select(torch.from_numpy(vectors.astype(dtype)), 8, strategy="kcenter").indices.tolist() == expected


def test_random_draws_evenly() -> None:
    counts = np.zeros(6)
    for seed in range(600):
        counts[select(np.eye(6), 2, strategy="random", seed=seed).indices] += 1
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
