"""What a strategy is, and what it gives back.

A strategy is one file in ``strategies/`` with a constant ``STRATEGY``. It is one of two things:

- ``pick(pool, k, *, seed)``: all picks at once, for strategies whose picks depend on how many there are;
- ``begin(pool, *, seed)``: something whose ``take(n)`` gives the next n picks. What was picked before never
  changes, so any prefix is the smaller selection, and more can be had without computing again.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.pool import Pool

__all__ = ["Begin", "Pick", "Picks", "Steps", "Strategy"]


@dataclass(frozen=True)
class Picks:
    """Picks in order, best first; everything has one entry per pick."""

    indices: NDArray[np.int64]
    """What was picked [k], none twice: positions, where a strategy gives them; rows, behind the door."""
    reasons: tuple[str, ...]
    """Why each was picked, in words."""
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Named objectives: what the strategy went by; NaN where it does not apply."""
    gains: NDArray[np.float64] | None = None
    """What each pick added to the strategy's objective; None where the strategy has none."""

    def __len__(self) -> int:
        """Return how many."""
        return len(self.indices)

    def first(self, n: int) -> "Picks":
        """Return the first ``n`` of them."""
        return Picks(
            indices=self.indices[:n],
            reasons=self.reasons[:n],
            columns={name: values[:n] for name, values in self.columns.items()},
            gains=None if self.gains is None else self.gains[:n],
        )

    def then(self, more: "Picks") -> "Picks":
        """Return these picks and more of the same strategy."""
        gains = None
        if self.gains is not None and more.gains is not None:
            gains = np.concatenate([self.gains, more.gains])
        names = [*self.columns, *(name for name in more.columns if name not in self.columns)]
        return Picks(
            indices=np.concatenate([self.indices, more.indices]),
            reasons=self.reasons + more.reasons,
            columns={name: np.concatenate([self._column(name), more._column(name)]) for name in names},
            gains=gains,
        )

    def _column(self, name: str) -> NDArray[Any]:
        """Return a column; where there is none of the name (with labels, a strategy may change), NaN."""
        return self.columns[name] if name in self.columns else np.full(len(self), math.nan)


class Steps(Protocol):
    """A greedy strategy at work, between one pick and the next."""

    def take(self, n: int) -> Picks:
        """Return the next ``n`` picks; there are at least so many candidates left."""


class Pick(Protocol):
    """All picks at once."""

    def __call__(self, pool: Pool, k: int, *, seed: int) -> Picks:
        """Pick ``k`` different candidates of the pool, 1 <= k <= P."""


class Begin(Protocol):
    """The start of a greedy strategy."""

    def __call__(self, pool: Pool, *, seed: int) -> Steps:
        """Return what picks from the pool, one after the other."""


def _nothing(pool: Pool, k: int) -> int:
    """Return 0: a few numbers per candidate are not counted."""
    return 0


@dataclass(frozen=True)
class Strategy:
    """A way to pick."""

    about: str
    """One line: what it picks, what it is good for, and its source."""
    pick: Pick | None = None
    """All picks at once; either this or ``begin``."""
    begin: Begin | None = None
    """One pick after the other: greedy, any prefix is the smaller selection."""
    needs: frozenset[str] = frozenset()
    """What must be given: any of `NEEDS` in pool.py."""
    takes: frozenset[str] = frozenset()
    """What it heeds beside that, of ``objectives`` and ``constraints``; others refuse them."""
    avoids_copies: bool = False
    """Whether a copy of what is picked or labelled is never picked while there is anything else."""
    estimate: Callable[[Pool, int], int] = _nothing
    """Bytes it needs beside the pool to pick k."""

    def __post_init__(self) -> None:
        assert (self.pick is None) != (self.begin is None)

    @property
    def greedy(self) -> bool:
        """Whether any prefix of the picks is the smaller selection."""
        return self.begin is not None
