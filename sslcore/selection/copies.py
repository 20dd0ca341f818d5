"""Exact copies, and strategies that pick them last: a strategy first sees only what differs.

A candidate is a copy if its vector equals that of something labelled, or of a candidate of a lower id. Copies
are candidates only when nothing different is left; what is picked then counts as labelled.

Vectors that are equal have equal squared lengths, which are known already: only those whose length another
has are read again, hashed by their bits, and compared. Shapes: N vectors, n some of them, D dimensions.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.picks import Begin, Picks, Steps, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import slices
from sslcore.selection.vectors import Vectors

__all__ = ["copies_last", "find_copies"]

# Odd, so that multiplying by it loses no bit.
MIXER = np.uint64(0x9E3779B97F4A7C15)
# What blocks of vectors take at most while they are hashed and compared.
BLOCKS = 60_000_000


def find_copies(pool: Pool) -> NDArray[np.int64]:
    """Return the candidates that equal something labelled or a candidate of a lower id, ascending."""
    everyone = np.concatenate([pool.labelled, pool.candidates])
    _, group, sizes = np.unique(pool.vectors.squared[everyone], return_inverse=True, return_counts=True)
    # In this order labelled ones come first, then the lowest positions: the first of some alike is kept.
    open_ = np.flatnonzero(sizes[group] > 1)
    keys = _hashes(pool.vectors, everyone[open_])
    found = []
    while len(open_):
        order = np.lexsort((open_, keys))
        _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
        first = np.empty(len(order), np.int64)
        first[order] = np.repeat(order[starts], counts)
        others = np.flatnonzero(first != np.arange(len(first)))
        same = _equal(pool.vectors, everyone[open_[others]], everyone[open_[first[others]]])
        found.append(open_[others[same]])
        # Of equal hashes, but not equal: among themselves again.
        open_, keys = open_[others[~same]], keys[others[~same]]
    copies = np.concatenate(found) if found else np.empty(0, np.int64)
    return np.sort(everyone[copies[copies >= len(pool.labelled)]])


def _hashes(vectors: Vectors, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a number for each vector, equal for equal ones; of whole numbers, so threads decide nothing."""
    factors_D = np.random.default_rng(0).integers(0, 2**63, vectors.dim, dtype=np.uint64) * 2 + 1
    found = np.empty(len(positions), np.uint64)
    for part in slices(len(positions), vectors.dim):
        x_nD = vectors.exact(positions[part])
        x_nD += 0.0  # -0 equals 0, so it must have its bits
        bits_nD = x_nD.view(np.uint64)
        bits_nD ^= bits_nD >> np.uint64(32)
        bits_nD *= MIXER
        bits_nD ^= bits_nD >> np.uint64(29)
        found[part] = np.einsum("nd,d->n", bits_nD, factors_D)
    return found


def _equal(vectors: Vectors, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of positions have equal vectors [n]."""
    found = np.empty(len(a), np.bool_)
    for part in slices(len(a), 2 * vectors.dim):
        found[part] = (vectors.exact(a[part]) == vectors.exact(b[part])).all(axis=1)
    return found


class _Steps:
    """A greedy strategy among what differs, and then anew among the copies."""

    def __init__(self, begin: Begin, pool: Pool, seed: int) -> None:
        self.begin, self.seed = begin, seed
        self.phases = _phases(pool)
        self.copies = False
        self.steps = begin(self.phases[0], seed=seed)
        self.room = len(self.phases[0].candidates)

    def take(self, n: int) -> Picks:
        """Return the next ``n``; fewer where the strategy ends."""
        now = min(n, self.room)
        picks = self.steps.take(now) if now else None
        self.room -= now
        if picks is not None and self.copies:
            picks = _said(picks)
        if now == n:
            assert picks is not None
            return picks
        # Only copies are left: what differs is all picked.
        if len(self.phases) > 1:
            self.phases = self.phases[1:]
            self.steps, self.room = self.begin(self.phases[0], seed=self.seed), len(self.phases[0].candidates)
            self.copies = True
        rest = self.take(n - now)
        return rest if picks is None else picks.then(rest)


def _phases(pool: Pool) -> tuple[Pool, ...]:
    """Return the pool of what differs, and of copies when all that is picked; those with candidates."""
    copies = find_copies(pool)
    if not len(copies):
        return (pool,)
    different = np.setdiff1d(pool.candidates, copies, assume_unique=True)
    after = replace(pool, candidates=copies, labelled=np.union1d(pool.labelled, different))
    return (replace(pool, candidates=different), after) if len(different) else (after,)


def _said(picks: Picks) -> Picks:
    """Return picks that say that they are copies."""
    told = tuple(f"{reason}; a copy of something chosen or labelled" for reason in picks.reasons)
    return replace(picks, reasons=told)


def copies_last(strategy: Strategy) -> Strategy:
    """Return a strategy that picks copies last: what does so by itself as it is, and a plan.

    The constraints of a plan count from its start what was picked, so it cannot begin anew for the copies.
    """
    if strategy.avoids_copies or "objectives" in strategy.needs:
        return strategy

    def estimate(pool: Pool, k: int) -> int:
        needed = 64 * len(pool) + min(BLOCKS, 40 * len(pool) * pool.vectors.dim)
        # Lengths are sorted and vectors compared before the strategy starts; then candidates are there twice.
        return max(strategy.estimate(pool, k), needed) + 16 * len(pool)

    def start(pool: Pool, *, seed: int) -> Steps:
        assert strategy.begin is not None
        return _Steps(strategy.begin, pool, seed)

    def pick(pool: Pool, k: int, *, seed: int) -> Picks:
        assert strategy.pick is not None
        picks: Picks | None = None
        phases = _phases(pool)
        for phase in phases:
            missing = k - (0 if picks is None else len(picks))
            if missing:
                more = strategy.pick(phase, min(missing, len(phase.candidates)), seed=seed)
                more = _said(more) if phase is phases[-1] and phase is not phases[0] else more
                picks = more if picks is None else picks.then(more)
        assert picks is not None
        return picks

    if strategy.begin is not None:
        return replace(strategy, begin=start, avoids_copies=True, estimate=estimate)
    return replace(strategy, pick=pick, avoids_copies=True, estimate=estimate)
