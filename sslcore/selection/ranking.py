"""Picks in the order of one figure: what the simplest strategies are."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.head import NUM_MEMBERS, committee, head_bytes, predictions, steady
from sslcore.selection.information import mutual_information
from sslcore.selection.picks import Begin, Picks
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import measured

__all__ = ["Ranked", "divided_bytes", "most_divided", "most_unsure", "unsure_bytes", "unsure_reason"]


class Ranked:
    """Candidates by a score, highest first, ties to the lowest position."""

    def __init__(
        self,
        pool: Pool,
        scores_N: NDArray[np.float64],
        *,
        column: str,
        reason: Callable[[int], str],
        second_N: NDArray[np.float64] | None = None,
    ) -> None:
        """Sort once.

        Args:
            pool: What to pick from.
            scores_N: Of all positions, not only candidates.
            column: What the score is called.
            reason: In words, for a position.
            second_N: Decides between equal scores, before the position does.
        """
        at = pool.candidates
        keys = (at, -scores_N[at]) if second_N is None else (at, -second_N[at], -scores_N[at])
        self.order: NDArray[np.int64] = at[np.lexsort(keys)]
        self.scores, self.column, self.reason = scores_N, column, reason
        self.done = 0

    def take(self, n: int) -> Picks:
        """Return the next ``n``."""
        picked = self.order[self.done : self.done + n]
        self.done += n
        return Picks(
            indices=picked,
            reasons=tuple(self.reason(int(position)) for position in picked),
            columns={self.column: self.scores[picked]},
        )


def unsure_reason(pool: Pool, p_NC: NDArray[np.float64], what: str) -> Callable[[int], str]:
    """Return what puts into words that a model is unsure of a position.

    Args:
        pool: Knows the names of the classes, where the head was fitted on its labels.
        p_NC: Probabilities.
        what: The measure, for the sentence (``smallest margin``).
    """
    source = "the model" if pool.probs is not None else "a classifier fitted on the labels"

    def reason(position: int) -> str:
        first, second = np.argsort(-p_NC[position], kind="stable")[:2]
        return (
            f"{what}: {source} gives {p_NC[position, first]:.2f} to its first class "
            f"and {p_NC[position, second]:.2f} to its second"
        )

    return reason


def most_unsure(
    measure: Callable[[NDArray[np.float64]], NDArray[np.float64]], *, column: str, what: str
) -> Begin:
    """Return what begins a strategy that ranks candidates by how unsure a model is of them.

    It needs probs, or labels of two classes at least, on which a head is fitted; the seed is not used.

    Args:
        measure: From probabilities [N, C] to a score in [0, 1], [N].
        column: What the score is called.
        what: The measure, for the sentence that gives the reason (``a close call``).
    """

    def begin(pool: Pool, *, seed: int) -> Ranked:
        del seed
        p_NC = predictions(pool)
        return Ranked(pool, measured(measure, p_NC), column=column, reason=unsure_reason(pool, p_NC, what))

    return begin


def unsure_bytes(pool: Pool, k: int) -> int:
    """Return bytes that ranking by `most_unsure` takes beside the pool."""
    del k
    return head_bytes(pool)


def divided_bytes(pool: Pool, k: int) -> int:
    """Return bytes that ranking by `most_divided` takes beside the pool."""
    del k
    return head_bytes(pool, members=NUM_MEMBERS)


def most_divided(
    measure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    column: str,
    words: Callable[[NDArray[np.float64], float], str],
) -> Begin:
    """Return what begins a strategy that ranks candidates by how much several models disagree about them.

    It needs probs of several models, or labels of two classes at least, on which heads are fitted; the seed
    is theirs. Between equal scores the mutual information decides, then the position.

    Args:
        measure: From probabilities [M, N, C] to a score, in nats [N].
        column: What the score is called.
        words: The reason, from the probabilities of a sample [M, C] and its score.
    """

    def begin(pool: Pool, *, seed: int) -> Ranked:
        p_MNC = committee(pool, seed=seed)
        divided_N = steady(measured(measure, p_MNC))
        between_N = steady(measured(mutual_information, p_MNC))
        return Ranked(
            pool,
            divided_N,
            column=column,
            reason=lambda position: words(p_MNC[:, position], float(divided_N[position])),
            second_N=between_N,
        )

    return begin
