"""Exact copies: found as plain loops find them, whatever the type, zeros, order and hashes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import copies, select
from sslcore.selection.copies import find_copies
from sslcore.selection.picks import Picks
from sslcore.selection.pool import Pool
from sslcore.selection.vectors import Vectors


def pool_of(x: NDArray[Any], labelled: list[int], left_out: list[int]) -> Pool:
    candidates = [row for row in range(len(x)) if row not in labelled + left_out]
    return Pool(Vectors(x), np.array(candidates, np.int64), np.array(labelled, np.int64))


def in_loops(x: NDArray[Any], pool: Pool) -> list[int]:
    seen, found = [x[row] for row in pool.labelled], []
    for row in pool.candidates.tolist():
        if any((x[row] == other).all() for other in seen):
            found.append(row)
        seen.append(x[row])
    return found


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_copies_are_those_of_plain_loops(kind: type[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, 2, size=(80, 4)).astype(kind) * kind(1 - 2 * (seed % 2))  # -0 among them
    pool = pool_of(x, labelled=[7, 50, 51], left_out=[0, 1, 2, 3])
    assert find_copies(pool).tolist() == in_loops(x, pool)
    assert len(in_loops(x, pool)) > 10


def test_equal_hashes_of_different_vectors_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_hashes", lambda vectors, positions: np.zeros(len(positions), np.uint64))
    x = np.eye(6)[[0, 1, 2, 1, 0, 3, 4, 5, 3, 0]]
    assert find_copies(pool_of(x, [], [])).tolist() == [3, 4, 8, 9]


def test_equal_rows_anywhere_in_a_block_have_equal_lengths() -> None:
    x = np.random.default_rng(0).normal(size=(3001, 7)).astype(np.float32)
    x[1500:3000] = x[:1500]
    assert find_copies(pool_of(x, [], [])).tolist() == list(range(1500, 3000))


def test_a_copy_says_that_it_is_one() -> None:
    got = select(np.eye(3)[[0, 1, 1, 2]], 4, strategy="random")
    assert [reason.endswith("; a copy of something chosen or labelled") for reason in got.reasons] == [
        False,
        False,
        False,
        True,
    ]


def test_picks_of_other_columns_are_joined() -> None:
    one = Picks(np.array([1]), ("a",), {"x": np.array([1])})
    both = one.then(Picks(np.array([2]), ("b",), {"y": np.array([2.0])}))
    np.testing.assert_array_equal(both.columns["x"], [1, np.nan])
    np.testing.assert_array_equal(both.columns["y"], [np.nan, 2])


@pytest.mark.parametrize("strategy", ["maxherding", "uherding", "probcover", "auto", "kmeans", "dpp"])
def test_where_nothing_adds_to_coverage_copies_still_come_last(strategy: str) -> None:
    rng = np.random.default_rng(2)
    clumps = rng.normal(size=(5, 4))[rng.integers(0, 5, 40)] + 1e-3 * rng.normal(size=(40, 4))
    what = rng.permutation(np.concatenate([np.arange(40), rng.integers(0, 40, 30)]))
    got = select(clumps[what].astype(np.float32), 40, strategy=strategy)
    assert sorted(what[got.indices].tolist()) == list(range(40))
