"""What a strategy gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.pool import Pool

__all__ = ["Picks", "Selection", "Strategy"]


@dataclass(frozen=True)
class Picks:
    """The picks of a strategy, best first; everything has one entry per pick."""

    indices: NDArray[np.int64]
    """Rows of the embeddings [k], none twice."""
    reasons: tuple[str, ...]
    """Why each was picked, in words."""
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Named objectives: what the strategy went by; NaN where it does not apply."""


@dataclass(frozen=True)
class Selection(Picks):
    """Picks, and how to get the same ones again."""

    strategy: str = ""
    """Name of the strategy."""
    seed: int = 0
    """Seed it was run with."""


class Strategy(Protocol):
    """A way to pick; one per file in ``strategies/``."""

    def __call__(self, pool: Pool, k: int, *, seed: int) -> Picks:
        """Pick ``k`` different candidates of the pool, 1 <= k <= P."""
