"""What `select` gives back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.given import check_whole
from sslcore.selection.nearest import nearest_of
from sslcore.selection.picks import Picks, Steps, Strategy
from sslcore.selection.pool import Pool

__all__ = ["Run", "Selection"]

NOTHING = np.empty(0, np.int64)


class Run:
    """A strategy at work on a pool; remembers its picks, so that more can be had without computing again."""

    def __init__(self, pool: Pool, strategy: Strategy, *, seed: int) -> None:
        """Keep what to run; nothing is computed yet."""
        self.pool, self.strategy, self.seed = pool, strategy, seed
        self.steps: Steps | None = None
        self.taken: Picks | None = None
        # Where a prefix is not the smaller selection: picks by how many were asked for, one after the other.
        self.made: dict[tuple[int, ...], Picks] = {}
        self.at: tuple[int, ...] = ()

    def first(self, n: int, sizes: tuple[int, ...] = ()) -> tuple[Picks, str]:
        """Return the first ``n`` picks, as positions, and why there are fewer.

        Args:
            n: How many.
            sizes: How many were asked for, one after the other, the last of them now; nothing is ``(n,)``.
                Heeded where a prefix is not the smaller selection.
        """
        if n > len(self.pool.candidates):
            raise UserError(
                f"k must be at most the {len(self.pool.candidates)} samples that can be picked, got {n}"
            )
        sizes = sizes or (n,)
        if self.strategy.begin is None:
            return self._all_at_once(n, sizes), ""
        if self.steps is None:
            self.steps = self.strategy.begin(self.pool, seed=self.seed)
        if not getattr(self.steps, "prefixes_hold", True):
            return self._again(sizes)
        missing = n - (0 if self.taken is None else len(self.taken))
        if missing > 0:
            more = self.steps.take(missing)
            self.taken = more if self.taken is None else self.taken.then(more)
        assert self.taken is not None
        return self.taken.first(n), self._why() if n > len(self.taken) else ""

    def _why(self) -> str:
        return str(getattr(self.steps, "stopped", ""))

    def _again(self, sizes: tuple[int, ...]) -> tuple[Picks, str]:
        """Return what a plan of sequences gives for some sizes; anew where it has gone elsewhere."""
        assert self.strategy.begin is not None
        if self.at != sizes[:-1] or self.steps is None:
            self.steps, self.at = self.strategy.begin(self.pool, seed=self.seed), ()
        for size in sizes[len(self.at) :]:
            more = self.steps.take(size)
            self.made[(*self.at, size)] = self.made[self.at].then(more) if self.at else more
            self.at = (*self.at, size)
        got = self.made[sizes]
        return got, self._why()

    def _all_at_once(self, n: int, sizes: tuple[int, ...]) -> Picks:
        """Return what was taken before and what is picked with that counted as labelled."""
        assert self.strategy.pick is not None
        if sizes not in self.made:
            before = self.made.get(sizes[:-1])
            if before is None:
                self.made[sizes] = self.strategy.pick(self.pool, n, seed=self.seed)
            else:
                rest = replace(
                    self.pool,
                    candidates=np.setdiff1d(self.pool.candidates, before.indices),
                    labelled=np.union1d(self.pool.labelled, before.indices),
                )
                self.made[sizes] = before.then(self.strategy.pick(rest, sizes[-1], seed=self.seed))
        return self.made[sizes]


@dataclass(frozen=True)
class Selection(Picks):
    """Picks by row, what they cover, and how to get the same ones again."""

    strategy: str = ""
    """Name of the strategy."""
    seed: int = 0
    """Seed it was run with."""
    sample_ids: tuple[Any, ...] | None = None
    """Id of each pick [k]; None where no ids were given."""
    round: int = 1
    """Which round of labelling it is for."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, beside the embeddings."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Where the embeddings come from, as far as it is known: model_version, dataset_fingerprint."""
    run: Run | None = field(default=None, repr=False, compare=False)
    """What it came from."""
    ids: Any = field(default=None, repr=False, compare=False)
    """Ids of all rows."""
    stopped: str = ""
    """Why there are fewer picks than were asked for; empty where there are not."""
    steps: tuple[int, ...] = ()
    """How many were asked for, one after the other: by `select`, and by each `extend`."""
    positions: NDArray[np.int64] = field(default_factory=lambda: NOTHING, repr=False, compare=False)
    """The picks by position: rows in the order of their ids [k]."""

    def extend(self, k: int) -> "Selection":
        """Return this selection and ``k`` picks more, as one selection of all.

        A greedy strategy goes on where it stopped: the same as asking for all of them at once. The others
        pick anew with what is picked counted as labelled.

        Raises:
            UserError: If there are not so many samples left.
        """
        assert self.run is not None
        k = check_whole(k, name="k", least=1)
        return self.more(k)

    def more(self, k: int) -> "Selection":
        """Return this selection and ``k`` picks more, ``k`` checked already."""
        assert self.run is not None
        steps = (*self.steps, k)
        picks, stopped = self.run.first(len(self.indices) + k, steps)
        rows = self.run.pool.vectors.rows(picks.indices)
        return replace(
            self,
            indices=rows,
            reasons=picks.reasons,
            columns=picks.columns,
            gains=picks.gains,
            sample_ids=None if self.ids is None else tuple(self.ids[row] for row in rows),
            plan={**self.plan, "k": len(rows)},
            stopped=stopped,
            steps=steps,
            positions=picks.indices,
        )

    @cached_property
    def nearest(self) -> NDArray[np.int64]:
        """For each row the row of the selected sample nearest to it [N], the earlier pick of two as near.

        -1 for all where nothing is selected.
        """
        if not len(self.indices):
            return np.full(len(self._nearest[1]), -1, np.int64)
        return self.indices[self._nearest[1]]

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Distance of each row to the selected sample nearest to it [N]; infinite where none is."""
        return np.sqrt(self._nearest[0])

    @cached_property
    def covering_radius(self) -> float:
        """Largest distance of a row to what is selected or labelled; infinite where nothing is."""
        assert self.run is not None
        pool = self.run.pool
        both = np.concatenate([self.positions, pool.labelled])
        squared, _ = nearest_of(pool.vectors, both) if len(pool.labelled) else self._by_position
        return float(np.sqrt(squared.max()))

    @property
    def provenance(self) -> dict[str, Any]:
        """What decides the picks: the same again, asked for in the same steps, gives the same.

        Of each input a hash, by the order of the ids: so it is the same for any order of rows. It does not
        hold what only names things (ids, names), the memory, or the version of this program.
        """
        assert self.run is not None
        pool = self.run.pool
        inputs = {
            "labelled": digest(pool.labelled),
            "candidates": digest(pool.candidates),
            "labels": None if pool.labels is None else digest(pool.labels, *pool.classes),
            "probs": None if pool.probs is None else digest(pool.probs),
            "scores": {name: digest(values) for name, values in sorted(pool.scores.items())},
        }
        order = pool.vectors.order
        return {
            "strategy": self.strategy,
            "seed": self.seed,
            "round": self.round,
            "plan": {key: described(value, order) for key, value in self.plan.items()},
            "steps": list(self.steps),
            "inputs": inputs,
            **self.origin,
            "embedding_hash": pool.vectors.digest,
        }

    @cached_property
    def _by_position(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        assert self.run is not None
        vectors = self.run.pool.vectors
        if not len(self.positions):
            return np.full(len(vectors), np.inf), np.full(len(vectors), -1, np.int64)
        return nearest_of(vectors, self.positions)

    @cached_property
    def _nearest(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Squared distance and number of the nearest pick, by row."""
        assert self.run is not None
        squared, which = self._by_position
        order = self.run.pool.vectors.order
        if order is None:
            return squared, which
        by_row = np.empty_like(squared), np.empty_like(which)
        by_row[0][order], by_row[1][order] = squared, which
        return by_row


def digest(values: NDArray[Any], *names: str) -> str:
    """Return a hash of an array, its type and size, and of names."""
    sha = hashlib.sha256(f"{values.dtype.name} {values.shape} {names}".encode())
    sha.update(np.ascontiguousarray(values).data)
    return sha.hexdigest()


def described(value: Any, order: NDArray[np.int64] | None) -> Any:
    """Return part of a plan as plain values, and what it holds by row as a hash, by the order of the ids."""
    if is_dataclass(value) and not isinstance(value, type):
        held = {each.name: described(getattr(value, each.name), order) for each in fields(value)}
        return {"kind": type(value).__name__, **held}
    if isinstance(value, Mapping):
        return {str(name): described(each, order) for name, each in value.items()}
    if isinstance(value, list | tuple) and all(
        hasattr(each, "begin") or hasattr(each, "units") for each in value
    ):
        return [described(each, order) for each in value]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str | int | float | None):
        return value
    if not hasattr(value, "__iter__"):
        return type(value).__name__
    listed = list(value)
    if order is not None and len(listed) == len(order):
        listed = [listed[row] for row in order]
    text = "\n".join(str(each.tolist() if hasattr(each, "tolist") else each) for each in listed)
    return hashlib.sha256(text.encode()).hexdigest()
