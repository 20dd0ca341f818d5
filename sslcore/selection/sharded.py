"""Selection from a pool that is larger than one memory: in shards, then among what the shards picked.

Each shard picks on its own (on any machine, in any order); the picks of all shards are a pool that one
machine can hold, from which the same strategy picks again. The bounds, against the best selection of its
size:

- ``kcenter``: the covering radius is at most 4 times the best, where exact is at most 2 times (Malkomes
  et al., "Fast Distributed k-Center Clustering with Outliers on Massive Data", NeurIPS 2015).
  `radius_bound` says what it is at most for the data at hand, without another pass: the shards' largest
  radius plus that of the last round.
- ``maxherding`` (facility location): coverage is at least (1 - 1/e)^2 / min(sqrt(k), number of shards) of
  the best in the worst case, and half of (1 - 1/e) in expectation when rows are assigned to shards at
  random (Mirzasoleiman et al. 2013, https://arxiv.org/abs/1605.09619; Barbosa et al. 2015,
  https://arxiv.org/abs/1502.02606). In the last round what a shard's picks stand for is not known, so
  every one counts the same.

What others pick this way is a selection, without a bound.
"""

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection.given import Given, by_row, check_labelled, check_whole, id_order, open_embeddings
from sslcore.selection.memory import parse_memory
from sslcore.selection.select import select
from sslcore.selection.selection import Selection
from sslcore.selection.vectors import Vectors

__all__ = ["Shard", "ShardPicks", "ShardedSelection", "merge_picks", "pick_in_shard", "select_sharded"]


@dataclass(frozen=True)
class Shard:
    """A part of a pool."""

    embeddings: Given
    """Vectors [N, D], as `select` takes them."""
    ids: Iterable[Any]
    """Ids [N], none in two shards."""
    labelled: ArrayLike = ()
    """What is labelled already: row numbers [L], or a mask [N]."""


@dataclass(frozen=True)
class ShardPicks:
    """What one shard hands over: small enough to send."""

    vectors: NDArray[Any]
    """Of its labelled samples and then its picks [n, D]."""
    ids: tuple[Any, ...]
    """Ids of the same [n]."""
    num_labelled: int
    """How many of them are labelled."""
    radius: float
    """Largest distance of one of its samples to these."""
    num_samples: int
    """Size of the shard."""


@dataclass(frozen=True)
class ShardedSelection:
    """Picks from all shards."""

    sample_ids: tuple[Any, ...]
    """Ids of the picks in order [k]."""
    last_round: Selection
    """The selection among the shards' picks: reasons, columns, gains."""
    radius_bound: float
    """No sample of the pool is farther than this from what is picked or labelled."""
    num_samples: int
    """Size of the pool."""


def pick_in_shard(shard: Shard, k: int, *, strategy: str = "kcenter", seed: int = 0) -> ShardPicks:
    """Pick from one shard; the whole shard if it has no more than ``k`` candidates.

    A shard in which everything is labelled hands over its labelled samples, an empty one nothing.

    Args:
        shard: The part.
        k: How many to hand over, at least as many as will be picked in the end for the bounds to hold.
        strategy: A name from `STRATEGIES`.
        seed: Seed of the strategies that use chance.

    Raises:
        UserError: If something does not fit the shard, or `select` refuses it.
    """
    ids = by_row(shard.ids, name="ids")
    labelled = check_labelled(shard.labelled, None, len(ids))
    room = len(ids) - len(labelled)
    if room == 0:
        return _labelled_only(shard.embeddings, ids)
    got = select(shard.embeddings, min(k, room), strategy=strategy, labelled=labelled, ids=ids, seed=seed)
    assert got.run is not None
    source = got.run.pool.vectors.source
    rows = np.concatenate([labelled, got.indices])
    return ShardPicks(
        vectors=np.asarray(source[rows]),
        ids=tuple(ids[row] for row in rows),
        num_labelled=len(labelled),
        radius=got.covering_radius,
        num_samples=len(ids),
    )


def _labelled_only(given: Given, ids: Sequence[Any]) -> ShardPicks:
    """Return what a shard hands over that has nothing to pick: all of it."""
    if not len(ids):
        count = len(given) if isinstance(given, Sized) and not isinstance(given, str) else 0
        if count:
            raise UserError(f"ids must be one for each of {count} embeddings, got 0")
        return ShardPicks(np.empty((0, 0)), (), num_labelled=0, radius=0.0, num_samples=0)
    matrix, _ = open_embeddings(given, memory=parse_memory(None))
    vectors = Vectors(matrix, id_order(ids, len(matrix)))
    _ = vectors.squared  # refuses what is not finite
    return ShardPicks(np.asarray(matrix), tuple(ids), num_labelled=len(ids), radius=0.0, num_samples=len(ids))


def merge_picks(
    parts: Iterable[ShardPicks], k: int, *, strategy: str = "kcenter", seed: int = 0
) -> ShardedSelection:
    """Pick among what the shards picked; the order of shards does not matter.

    Args:
        parts: What `pick_in_shard` gave for each shard.
        k: How many to pick.
        strategy: The strategy that the shards used.
        seed: Seed of the strategies that use chance.

    Raises:
        UserError: If vectors of two shards differ in size, two shards hand over the same id (others are not
            seen here), or there are fewer than ``k`` picks.
    """
    numbered = [(number, part) for number, part in enumerate(parts) if len(part.ids)]
    if not numbered:
        raise ConfigError("there must be at least one shard with a sample, got none")
    first, dim = numbered[0][0], numbered[0][1].vectors.shape[1]
    for number, part in numbered:
        if part.vectors.shape[1] != dim:
            raise UserError(
                f"shard {number} has vectors of {part.vectors.shape[1]} numbers, but shard {first} of {dim}; "
                "embed all with one model"
            )
    every = [part for _, part in numbered]
    ids = [id_ for part in every for id_ in part.ids]
    is_labelled = np.concatenate([np.arange(len(part.ids)) < part.num_labelled for part in every])
    vectors = np.concatenate([part.vectors for part in every])
    got = select(vectors, k, strategy=strategy, labelled=is_labelled, ids=ids, seed=seed)
    assert got.sample_ids is not None
    return ShardedSelection(
        sample_ids=got.sample_ids,
        last_round=got,
        radius_bound=max(part.radius for part in every) + got.covering_radius,
        num_samples=sum(part.num_samples for part in every),
    )


def select_sharded(
    shards: Iterable[Shard], k: int, *, strategy: str = "kcenter", per_shard: int | None = None, seed: int = 0
) -> ShardedSelection:
    """Pick from shards one after the other, then among their picks; one shard is in memory at a time.

    Args:
        shards: Parts of the pool, read as they are needed.
        k: How many to pick.
        strategy: A name from `STRATEGIES` that needs nothing but embeddings.
        per_shard: How many each shard hands over, at least ``k``; None is ``k``. More comes nearer to the
            exact selection.
        seed: Seed of the strategies that use chance.

    Raises:
        ConfigError: If there is no shard, or ``per_shard`` is less than ``k``.
        UserError: If a shard cannot be used (says which, from 0), vectors of two shards differ in size, two
            shards hand over the same id (others are not compared), or there are fewer than ``k`` candidates.
    """
    k = check_whole(k, name="k", least=1)
    count = k if per_shard is None else check_whole(per_shard, name="per_shard", least=1)
    if count < k:
        raise ConfigError(f"per_shard must be at least k = {k}, got {count}")
    parts = []
    for number, shard in enumerate(shards):
        try:
            parts.append(pick_in_shard(shard, count, strategy=strategy, seed=seed))
        except ConfigError:
            raise
        except UserError as error:
            raise UserError(f"shard {number}: {error}") from None
    return merge_picks(parts, k, strategy=strategy, seed=seed)
