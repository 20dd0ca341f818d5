"""Selection in shards against the exact one, and its bounds."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection import select
from sslcore.selection.sharded import Shard, merge_picks, pick_in_shard, select_sharded


def pool(n: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)


def in_shards(x: NDArray[np.float32], size: int, labelled: tuple[int, ...] = ()) -> Iterator[Shard]:
    for start in range(0, len(x), size):
        rows = np.arange(start, min(start + size, len(x)))
        yield Shard(x[rows], rows.tolist(), [row - start for row in labelled if row in rows])


@pytest.mark.parametrize("seed", range(4))
def test_the_radius_is_within_its_bounds(seed: int) -> None:
    x = pool(400, seed)
    exact = select(x, 20, strategy="kcenter")
    got = select_sharded(in_shards(x, 90), 20)
    radius = float(np.linalg.norm(x[:, None] - x[list(got.sample_ids)], axis=2).min(axis=1).max())
    assert radius <= got.radius_bound * (1 + 1e-6)
    # Exact greedy is at most twice the best radius and shards at most 4 times, so never above 4 x exact.
    assert radius <= 4 * exact.covering_radius
    assert got.num_samples == 400


def test_more_per_shard_comes_nearer_and_all_of_it_is_exact() -> None:
    x = pool(120, 7)
    exact = select(x, 15, strategy="kcenter", ids=np.arange(120))
    got = select_sharded(in_shards(x, 30), 15, per_shard=30)
    assert got.sample_ids == exact.sample_ids
    assert got.radius_bound == pytest.approx(exact.covering_radius)


def test_labelled_samples_of_all_shards_count() -> None:
    x = pool(90, 8)
    got = select_sharded(in_shards(x, 30, (0, 1, 2, 45)), 10)
    assert not set(got.sample_ids) & {0, 1, 2, 45}
    exact = select(x, 10, strategy="kcenter", labelled=[0, 1, 2, 45], ids=np.arange(90))
    assert set(select_sharded(in_shards(x, 30, (0, 1, 2, 45)), 10, per_shard=30).sample_ids or ()) == set(
        exact.sample_ids or ()
    )


def test_the_order_of_shards_does_not_matter() -> None:
    parts = [pick_in_shard(shard, 8) for shard in in_shards(pool(100, 9), 25)]
    assert merge_picks(parts, 8).sample_ids == merge_picks(parts[::-1], 8).sample_ids


def test_coverage_is_above_its_bound() -> None:
    x = pool(300, 10)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(axis=2))
    whole = select(x, 12, strategy="maxherding").indices
    got = list(select_sharded(in_shards(x, 100), 12, strategy="maxherding").sample_ids)
    reached = [kernel[:, picks].max(axis=1).mean() for picks in (whole, got)]
    # (1 - 1/e)^2 / 3 shards of the best, which is at least what greedy reached.
    assert reached[1] >= (1 - 1 / np.e) ** 2 / 3 * reached[0]
    assert reached[1] > 0.9 * reached[0]


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigError, match="at least one shard"):
        select_sharded([], 3)
    with pytest.raises(ConfigError, match="per_shard must be at least k = 3, got 2"):
        select_sharded(in_shards(pool(9, 0), 3), 3, per_shard=2)
    shard = Shard(pool(4, 0), [0, 1, 2, 3])
    with pytest.raises(UserError, match="ids are there twice"):
        select_sharded([shard, shard], 2)


def test_a_shard_without_candidates_hands_over_what_is_labelled_and_an_empty_one_nothing() -> None:
    x = pool(60, 11)
    shards = [
        Shard(x[:20], range(20), np.ones(20, bool)),
        Shard(x[:0], []),
        Shard(x[20:], pd.Series(range(20, 60)), np.arange(40) < 2),
    ]
    got = select_sharded(shards, 5, per_shard=60)
    exact = select(x, 5, strategy="kcenter", labelled=range(22), ids=range(60))
    assert got.sample_ids == exact.sample_ids
    assert got.num_samples == 60
    assert got.radius_bound == pytest.approx(exact.covering_radius)


def test_the_shard_is_named_that_does_not_fit() -> None:
    x = pool(8, 12)
    with pytest.raises(UserError, match=r"^shard 1: a mask of labelled rows must be \[4\], got \[3\]$"):
        select_sharded([Shard(x[:4], range(4)), Shard(x[4:], range(4, 8), np.ones(3, bool))], 2)
    with pytest.raises(UserError, match="shard 1 has vectors of 3 numbers, but shard 0 of 5"):
        select_sharded([Shard(x[:4], range(4)), Shard(x[4:, :3], range(4, 8))], 2)
    with pytest.raises(UserError, match="^shard 0: ids must be one for each of 4 embeddings, got 0"):
        select_sharded([Shard(x[:4], [])], 2)
    with pytest.raises(ConfigError, match="at least one shard with a sample"):
        select_sharded([Shard(x[:0], [])], 2)
