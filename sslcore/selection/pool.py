"""What a strategy chooses from, checked once at the door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.memory import UNLIMITED
from sslcore.selection.vectors import Vectors

__all__ = ["NEEDS", "UNKNOWN", "Pool", "is_missing"]

UNKNOWN = -1

# What a strategy may need -> what to say where it is missing.
NEEDS: Mapping[str, str] = {
    "probs": "probs=, class probabilities [N, C]",
    "committee": "probs= of several models or dropout passes, [M, N, C] with M >= 2",
    "predictions": "probs=, class probabilities [N, C], or labels= of two classes at least",
    "models": "probs= of several models or dropout passes, [M, N, C] with M >= 2, or labels= of two classes",
    "scores": "scores=, a mapping of names to numbers [N]",
    "labels": "labels=, the class of each row where it is known [N]",
    "labelled": "labelled=, at least one row that is labelled already",
    "objectives": "objectives=",
}


def is_missing(value: Any) -> bool:
    """Whether something given by row is no value: None, NaN, NaT or ``pandas.NA``."""
    return value is None or value is pd.NA or bool(value != value)


@dataclass(frozen=True)
class Pool:
    """Vectors and what is known of them, by position: rows in the order of their ids.

    Everything with a position is in the same order. Ties go to the lowest position, which is the lowest id.
    """

    vectors: Vectors
    """All vectors [N, D]."""
    candidates: NDArray[np.int64]
    """Positions that may be picked, ascending [P]."""
    labelled: NDArray[np.int64]
    """Positions that are labelled already, ascending [L]; what is neither is left out (duplicates, say)."""
    names: Sequence[str] | None = None
    """What to call each row in a reason, by row; None calls it by its number."""
    labels: NDArray[np.int64] | None = None
    """Class of each position as a number, `UNKNOWN` (-1) where it is not known [N]; None: none is."""
    classes: tuple[str, ...] = ()
    """Names of the classes, by their numbers; sorted."""
    probs: NDArray[Any] | None = None
    """Class probabilities, float [N, C], or [M, N, C] of M models or dropout passes."""
    scores: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Named numbers, finite [N]."""
    objectives: Sequence[Any] | None = None
    """A plan: what to weigh."""
    constraints: Sequence[Any] | None = None
    """A plan: what must hold."""
    memory: int = UNLIMITED
    """Bytes a strategy may take beside the pool."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.vectors)

    @property
    def everyone(self) -> NDArray[np.int64]:
        """Positions that are labelled or may be picked, ascending."""
        return np.sort(np.concatenate([self.labelled, self.candidates]))

    def name(self, position: int) -> str:
        """Return what to call a position."""
        row = position if self.vectors.order is None else int(self.vectors.order[position])
        return self.names[row] if self.names is not None else f"sample {row}"

    def the_score(self) -> tuple[str, NDArray[np.float64]]:
        """Return the name and values of the only score, or of that which is called ``score`` [N].

        Raises:
            UserError: If there are several and none of that name, or none at all.
        """
        if "score" in self.scores or len(self.scores) == 1:
            name = "score" if "score" in self.scores else next(iter(self.scores))
            return name, self.scores[name]
        raise UserError(
            f"scores must be one, or one be called 'score', got {', '.join(self.scores) or 'none'}"
        )

    def has(self, need: str) -> bool:
        """Whether what a strategy needs (a key of `NEEDS`) was given."""
        if need == "committee":
            return self.probs is not None and self.probs.ndim == 3 and len(self.probs) >= 2
        if need in ("predictions", "models"):
            given = self.probs is not None and (need == "predictions" or self.has("committee"))
            return given or (self.probs is None and self._num_known_classes() >= 2)
        if need == "labelled":
            return len(self.labelled) > 0
        if need == "labels":
            return self.labels is not None and bool((self.labels != UNKNOWN).any())
        return bool(self.scores) if need == "scores" else getattr(self, need) is not None

    def _num_known_classes(self) -> int:
        known = np.empty(0, np.int64) if self.labels is None else self.labels[self.labelled]
        return len(np.unique(known[known != UNKNOWN]))
