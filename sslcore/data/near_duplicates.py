"""Which samples look like one that comes before them, by the perceptual hash, without comparing all pairs.

Two hashes that differ in at most R of 64 bits have, cut into B blocks, at least B - R blocks in common. So
for every choice of B - R blocks the hashes are sorted by those, and only neighbours with equal ones are
compared (multi-index hashing: Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with
Multi-Index Hashing", 2014, https://arxiv.org/abs/1307.2982; several of the blocks: Manku, Jain and Das
Sarma, "Detecting Near-Duplicates for Web Crawling", 2007).
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_BITS", "Hashes", "Places", "first_alike"]

MAX_BITS = 4
"""Hashes that differ in at most this many of 64 bits look alike: one image in other sizes and compressions
differs in 0 to 3, images of one kind of object in 10 and more."""

_EDGES = (0, 11, 22, 33, 44, 54, 64)  # of the six blocks
_NUM_BLOCKS = len(_EDGES) - 1
_CROWD = 256  # more with equal blocks are not compared pair by pair, but each with those that mark

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


def first_alike(hashes: Hashes, max_bits: int = MAX_BITS) -> Places:
    """Return for each hash the place of the first that it looks like, or -1.

    In order, each hash that is not marked yet marks all later ones that differ from it in at most
    ``max_bits`` bits. So what is marked looks like what it is marked with, and not only like another that is
    marked: a slow pan does not become one group, and the unmarked ones alone cover everything.

    Args:
        hashes: In the order in which earlier ones are kept: uint64 [N].
        max_bits: 0 to 5.
    """
    if not 0 <= max_bits < _NUM_BLOCKS:
        raise ValueError(f"max_bits must be from 0 to {_NUM_BLOCKS - 1}, got {max_bits}")
    kept, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)  # back to the order in which they came
    kept, first = kept[order], first[order]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    leader = _leaders(kept, max_bits)
    alike = first[np.where(leader < 0, np.arange(len(kept)), leader)][rank[group.reshape(-1)]]
    return np.where(alike == np.arange(len(hashes)), -1, alike)


def _leaders(hashes: Hashes, max_bits: int) -> Places:
    """Do the same for hashes that all differ."""
    leader = np.full(len(hashes), -1, np.int64)
    tables, found = [], []
    for blocks in combinations(range(_NUM_BLOCKS), _NUM_BLOCKS - max_bits):
        table = _Table(hashes, blocks)
        found.append(table.pairs(hashes, max_bits))
        table.keep_crowds()
        tables.append(table)
    pairs = np.unique(np.concatenate(found), axis=0)
    crowds = _crowds(tables)
    left, right = pairs[:, 0], pairs[:, 1]
    places = np.union1d(left, crowds[:, 0])
    bounds = [
        np.searchsorted(column, places, side).tolist()
        for column in (left, crowds[:, 0])
        for side in ("left", "right")
    ]
    for place, first, last, first_crowd, last_crowd in zip(places.tolist(), *bounds, strict=True):
        if leader[place] >= 0:
            continue
        alike = right[first:last]
        leader[alike[leader[alike] < 0]] = place
        for _, table, low, high in crowds[first_crowd:last_crowd].tolist():
            others = tables[table].places[low:high]
            others = others[(others > place) & (leader[others] < 0)]
            leader[others[_differ(hashes[others], hashes[place]) <= max_bits]] = place
    return leader


def _crowds(tables: "list[_Table]") -> Places:
    """Return for each place the crowds it is in: rows of place, table, low, high, sorted: [M, 4]."""
    rows = [np.empty((0, 4), np.int64)]
    for number, table in enumerate(tables):
        for low, high in table.crowds():
            places = table.places[low:high]
            rest = np.broadcast_to([number, low, high], (len(places), 3))
            rows.append(np.column_stack([places, rest]))
    found = np.concatenate(rows)
    return found[np.argsort(found[:, 0], kind="stable")]


class _Table:
    """The hashes sorted by some of their blocks."""

    def __init__(self, hashes: Hashes, blocks: tuple[int, ...]) -> None:
        mask = np.uint64(sum((1 << _EDGES[each + 1]) - (1 << _EDGES[each]) for each in blocks))
        self.places = np.argsort(hashes & mask, kind="stable")
        keys = (hashes & mask)[self.places]
        edges = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        self._lows = np.concatenate([[0], edges]).astype(np.int64)
        self._highs = np.concatenate([edges, [len(keys)]]).astype(np.int64)
        self._sizes = self._highs - self._lows

    def pairs(self, hashes: Hashes, max_bits: int) -> Places:
        """Return the pairs of places with equal blocks, but in crowds, that look alike: [M, 2]."""
        few = (self._sizes > 1) & (self._sizes <= _CROWD)
        sizes = self._sizes[few]
        until = np.repeat(self._highs[few], sizes)
        start = until - np.repeat(sizes, sizes) + _count_in(sizes)
        found = [np.empty((0, 2), np.int64)]
        for step in range(1, _CROWD):
            inside = start + step < until
            start, until = start[inside], until[inside]
            if not len(start):
                break
            left, right = self.places[start], self.places[start + step]
            close = _differ(hashes[left], hashes[right]) <= max_bits
            found.append(np.stack([left[close], right[close]], axis=1))
        return np.concatenate(found)

    def keep_crowds(self) -> None:
        """Forget all but the many with equal blocks: the tables of a million hashes take 30 MB each."""
        many = self._sizes > _CROWD
        self._lows, self._highs, self._sizes = self._lows[many], self._highs[many], self._sizes[many]
        if not many.any():
            self.places = self.places[:0].copy()

    def crowds(self) -> list[tuple[int, int]]:
        """Return where the many with equal blocks lie in ``places``."""
        many = self._sizes > _CROWD
        return list(zip(self._lows[many].tolist(), self._highs[many].tolist(), strict=True))


def _count_in(sizes: Places) -> Places:
    """Return 0, 1, ... size - 1 for each size, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _differ(left: Hashes, right: Hashes | np.uint64) -> npt.NDArray[np.uint8]:
    bits: npt.NDArray[np.uint8] = np.bitwise_count(left ^ right)
    return bits
