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

__all__ = ["MAX_BITS", "first_alike"]

MAX_BITS = 4
"""Hashes that differ in at most this many of 64 bits look alike: one image in other sizes and compressions
differs in 0 to 3, images of one kind of object in 10 and more."""

_EDGES = (0, 11, 22, 33, 44, 54, 64)  # of the six blocks
_NUM_BLOCKS = len(_EDGES) - 1
_CROWD = 32  # so many with equal blocks are not compared pair by pair

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
    tables = [_Table(hashes, blocks) for blocks in combinations(range(_NUM_BLOCKS), _NUM_BLOCKS - max_bits)]
    crowded = np.zeros(len(hashes), np.bool_)
    found = [table.pairs(hashes, max_bits, crowded) for table in tables]
    pairs = np.unique(np.concatenate([np.empty((0, 2), np.int64), *found]), axis=0)
    left, right = pairs[:, 0], pairs[:, 1]
    places = np.union1d(left, np.flatnonzero(crowded))
    starts, ends = (np.searchsorted(left, places, side).tolist() for side in ("left", "right"))
    for place, start, end in zip(places.tolist(), starts, ends, strict=True):
        if leader[place] >= 0:
            continue
        alike = right[start:end]
        leader[alike[leader[alike] < 0]] = place
        for table in tables if crowded[place] else ():
            others = table.crowd(hashes[place])
            others = others[(others > place) & (leader[others] < 0)]
            leader[others[_differ(hashes[others], hashes[place]) <= max_bits]] = place
    return leader


class _Table:
    """The hashes sorted by some of their blocks."""

    def __init__(self, hashes: Hashes, blocks: tuple[int, ...]) -> None:
        self._mask = np.uint64(sum((1 << _EDGES[each + 1]) - (1 << _EDGES[each]) for each in blocks))
        self._places = np.argsort(hashes & self._mask, kind="stable")
        self._keys = (hashes & self._mask)[self._places]

    def pairs(self, hashes: Hashes, max_bits: int, crowded: npt.NDArray[np.bool_]) -> Places:
        """Return pairs of places with equal blocks that look alike, [M, 2]; mark those in a crowd of many."""
        found = []
        for step in range(1, len(self._keys)):
            equal = np.flatnonzero(self._keys[step:] == self._keys[:-step])
            left, right = self._places[equal], self._places[equal + step]
            if not len(equal):
                break
            if step == _CROWD:
                crowded[left] = crowded[right] = True
                break
            close = _differ(hashes[left], hashes[right]) <= max_bits
            found.append(np.stack([left[close], right[close]], axis=1))
        return np.concatenate([np.empty((0, 2), np.int64), *found])

    def crowd(self, hashed: np.uint64) -> Places:
        """Return the places of those with the same blocks, if they are many."""
        key = hashed & self._mask
        low, high = (int(np.searchsorted(self._keys, key, side)) for side in ("left", "right"))
        return self._places[low : high if high - low > _CROWD else low]


def _differ(left: Hashes, right: Hashes | np.uint64) -> npt.NDArray[np.uint8]:
    bits: npt.NDArray[np.uint8] = np.bitwise_count(left ^ right)
    return bits
