"""The same door for people who come from scikit-learn style libraries, and from lightly's agent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import UserError
from sslcore.selection.given import as_array, open_embeddings
from sslcore.selection.memory import parse_memory
from sslcore.selection.pool import is_missing
from sslcore.selection.select import select
from sslcore.selection.selection import Selection

__all__ = ["ActiveLearningAgent", "Query"]


class Query:
    """``query(X, y)`` as scikit-activeml and modAL have it: y is not known where it is NaN, None or -1."""

    def __init__(self, strategy: str = "auto", *, seed: int = 0, **options: Any) -> None:
        """Keep what to ask for.

        Args:
            strategy: A name from `STRATEGIES`.
            seed: Seed of the strategies that use chance.
            **options: Other arguments of `select`, the same in every query.
        """
        self.strategy, self.seed, self.options = strategy, seed, options

    def query(
        self, X: ArrayLike, y: Iterable[Any] | None = None, *, batch_size: int = 1, **given: Any
    ) -> NDArray[np.int64]:
        """Return the rows of X to label next [batch_size].

        Args:
            X: Vectors [N, D].
            y: Classes, not known where it is NaN, None or -1 [N]; None: none is known.
            batch_size: How many.
            **given: What belongs to this query: probs, scores, ids ...
        """
        labels = None if y is None else [_known(value) for value in y]
        arguments = {**self.options, "labels": labels, **given}
        return select(X, batch_size, strategy=self.strategy, seed=self.seed, **arguments).indices


def _known(value: Any) -> str | None:
    if is_missing(value) or (not isinstance(value, str) and value == -1):
        return None
    number = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if number else str(value)


class ActiveLearningAgent:
    """Rounds of picking with the contract of lightly's agent of the same name.

    ``n_samples`` is the size that the labelled set shall have after the round. Samples are named by their
    filenames, and all sets are lists of names in the order of the embeddings.
    """

    def __init__(
        self,
        embeddings: Any,
        filenames: Sequence[str],
        *,
        query: Sequence[str] | None = None,
        preselected: Sequence[str] = (),
    ) -> None:
        """Begin with what is labelled.

        Args:
            embeddings: Vectors [N, D], as `select` takes them.
            filenames: Names, none twice [N].
            query: What may be picked; None is everything. What is labelled is taken out.
            preselected: What is labelled already.

        Raises:
            UserError: If a name is there twice or not known.
        """
        if isinstance(embeddings, Iterator):  # can be read once, and each round reads them
            embeddings, _ = open_embeddings(embeddings, memory=parse_memory(None))
        self._embeddings, self._names = embeddings, list(filenames)
        self._row = {name: row for row, name in enumerate(self._names)}
        if len(self._row) < len(self._names):
            raise UserError(f"{len(self._names) - len(self._row)} filenames are there twice")
        self._query = np.ones(len(self._names), bool) if query is None else self._mask(query)
        self._labelled = self._mask(preselected)
        self._added: list[int] = []

    @property
    def query_set(self) -> list[str]:
        """What could be picked in the first round, labelled or not."""
        return self._listed(self._query)

    @property
    def labelled_set(self) -> list[str]:
        """What is labelled or was picked."""
        return self._listed(self._labelled)

    @property
    def unlabelled_set(self) -> list[str]:
        """What can still be picked; scores of a round are in this order."""
        return self._listed(self._query & ~self._labelled)

    @property
    def added_set(self) -> list[str]:
        """What the last round picked, in the order of the picks."""
        return [self._names[row] for row in self._added]

    def query(
        self,
        n_samples: int,
        *,
        strategy: str = "kcenter",
        scores: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
    ) -> Selection | None:
        """Pick until the labelled set has ``n_samples``, and count the picks as labelled.

        Args:
            n_samples: Size of the labelled set after the round.
            strategy: A name from `STRATEGIES`.
            scores: Named numbers, one for each of `unlabelled_set`.
            seed: Seed of the strategies that use chance.

        Returns:
            The selection, whose rows are those of all embeddings; None if there are ``n_samples`` already.

        Raises:
            UserError: If there are not so many samples, or scores do not fit.
        """
        missing = n_samples - int(self._labelled.sum())
        self._added = []
        if missing <= 0:
            return None
        open_ = self._query & ~self._labelled
        if missing > open_.sum():
            raise UserError(
                f"n_samples is the size of the labelled set after the round: at most "
                f"{int(self._labelled.sum() + open_.sum())}, got {n_samples}"
            )
        selection = select(
            self._embeddings,
            missing,
            strategy=strategy,
            labelled=self._labelled,
            excluded=~(open_ | self._labelled),
            scores={name: self._spread(name, values, open_) for name, values in (scores or {}).items()},
            names=self._names,
            seed=seed,
        )
        self._added = selection.indices.tolist()
        self._labelled[selection.indices] = True
        return selection

    def _spread(self, name: str, values: ArrayLike, open_: NDArray[np.bool_]) -> NDArray[np.float64]:
        try:
            given = as_array(values, what=f"scores['{name}']").astype(np.float64)
        except (TypeError, ValueError):
            raise UserError(f"scores['{name}'] must be numbers") from None
        if given.shape != (int(open_.sum()),):
            wanted = f"one for each of {int(open_.sum())} in unlabelled_set"
            raise UserError(f"scores['{name}'] must be {wanted}, got {list(given.shape)}")
        whole = np.zeros(len(self._names))
        whole[open_] = given
        return whole

    def _mask(self, names: Sequence[str]) -> NDArray[np.bool_]:
        unknown = [name for name in names if name not in self._row]
        if unknown:
            raise UserError(f"{len(unknown)} names are not among the filenames, first '{unknown[0]}'")
        mask = np.zeros(len(self._names), bool)
        mask[[self._row[name] for name in names]] = True
        return mask

    def _listed(self, mask: NDArray[np.bool_]) -> list[str]:
        return [name for name, kept in zip(self._names, mask, strict=True) if kept]
