"""Strategy ``hierarchical``: a balanced sample of a tree of k-means groups; evens out long tails.

Source: Vo et al., "Automatic Data Curation for Self-Supervised Learning: A Clustering-Based Approach",
TMLR 2024, https://arxiv.org/abs/2405.15613: groups of vectors, groups of their centres, and so on; the
budget is shared evenly among the groups at the top, what a small one cannot use goes to the others, and
so down to the samples, of which those nearest to the centre of their group are taken ("closest" there).
Differs: levels are 2k (at most a quarter of the pool), then an eighth of the level below while that is
8 or more; no resampling rounds.

Shapes: n samples of a level, K groups.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.clusters import cluster
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen
from sslcore.selection.vectors import Vectors

__all__ = ["STRATEGY", "pick", "share_evenly"]

SHRINK = 8


@dataclass(frozen=True)
class _Level:
    """Which group of this level each sample of the level below is in."""

    group: NDArray[np.int64]
    squared: NDArray[np.float64]
    num_groups: int


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Share the budget down a tree of groups, and pick what is nearest to the centres.

    Labelled samples are in the tree and use up their group's share first.

    Args:
        pool: What to pick from.
        k: How many, at most the candidates.
        seed: Seed of the groups.

    Returns:
        Picks with the columns ``group`` (number at the top), ``cluster_size`` and ``centre_distance``
        (both at the bottom), the top groups taking turns.
    """
    everyone = pool.everyone
    levels = _tree(pool.vectors, everyone, k, np.random.default_rng(seed))
    top_of = np.arange(len(everyone))
    for level in levels:
        top_of = level.group[top_of]
    is_labelled = np.isin(everyone, pool.labelled)
    chosen = _descend(levels, k, is_labelled)
    order = _in_turns(chosen, top_of, levels[0].squared)
    sizes = np.bincount(levels[0].group, minlength=levels[0].num_groups)
    reasons = tuple(
        f"near the centre of a group of {sizes[levels[0].group[row]]} samples; "
        f"an even share of part {top_of[row] + 1} of {levels[-1].num_groups} of the pool"
        for row in order
    )
    columns = {
        "group": top_of[order],
        "cluster_size": sizes[levels[0].group[order]].astype(np.int64),
        "centre_distance": np.sqrt(levels[0].squared[order]),
    }
    return Picks(everyone[order], reasons, columns)


def _tree(vectors: Vectors, positions: NDArray[np.int64], k: int, rng: np.random.Generator) -> list[_Level]:
    """Return the levels from the samples up."""
    count = max(1, min(2 * k, len(positions) // 4))
    levels: list[_Level] = []
    while True:
        found = cluster(Screen(vectors), positions, count, rng=rng)
        levels.append(_Level(found.group, found.squared, len(found.centres)))
        count = len(found.centres) // SHRINK
        if count < SHRINK:
            return levels
        vectors, positions = Vectors(found.centres), np.arange(len(found.centres), dtype=np.int64)


def _descend(levels: list[_Level], k: int, is_labelled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the samples to pick [k]."""
    room, used = [(~is_labelled).astype(np.int64)], [is_labelled.astype(np.int64)]
    for level in levels:
        for counts in (room, used):
            counts.append(np.bincount(level.group, counts[-1], level.num_groups).astype(np.int64))
    shares = share_evenly(k, room[-1], used[-1])
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        by_group = np.lexsort((np.arange(len(level.group)), level.squared, level.group))
        parts = np.split(by_group, np.cumsum(np.bincount(level.group, minlength=level.num_groups))[:-1])
        below = np.zeros(len(level.group), np.int64)
        for number in np.flatnonzero(shares):
            # Nearest to the centre first: they get what cannot be shared evenly.
            part = parts[number]
            below[part] = share_evenly(int(shares[number]), room[depth][part], used[depth][part])
        shares = below
    return np.flatnonzero(shares)


def share_evenly(budget: int, room: NDArray[np.int64], used: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how much each gets so that the least total is as large as can be.

    Args:
        budget: What there is, at most the sum of ``room``.
        room: The most each can take [n].
        used: What each has already [n].

    Returns:
        Shares that add up to ``budget``; what cannot be split goes to the first [n].
    """
    low, high = 0, int((room + used).max())
    while low < high:  # the highest level to which all can be filled
        level = (low + high + 1) // 2
        low, high = (level, high) if _filled(level, room, used).sum() <= budget else (low, level - 1)
    shares = _filled(low, room, used)
    more = np.flatnonzero((shares < room) & (shares + used <= low))[: budget - int(shares.sum())]
    shares[more] += 1
    return shares


def _filled(level: int, room: NDArray[np.int64], used: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(level - used, 0, room)


def _in_turns(
    chosen: NDArray[np.int64], top_of: NDArray[np.int64], squared: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the picks, groups at the top taking turns, what is nearest to a centre first."""
    top = top_of[chosen]
    order = np.lexsort((chosen, squared[chosen], top))
    _, starts, sizes = np.unique(top[order], return_index=True, return_counts=True)
    turn = np.arange(len(chosen)) - np.repeat(starts, sizes)
    return chosen[order][np.lexsort((top[order], turn))]


def _estimate(pool: Pool, k: int) -> int:
    return 100 * len(pool) + 40 * min(2 * k, len(pool)) * pool.vectors.dim + 200_000_000


STRATEGY = Strategy(
    about="a balanced sample of a tree of k-means groups; evens out long tails, for curation"
    " (Vo et al. 2024, arxiv.org/abs/2405.15613)",
    pick=pick,
    estimate=_estimate,
)
