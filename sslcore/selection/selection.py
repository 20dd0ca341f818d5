"""What `select` gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.nearest import nearest_of
from sslcore.selection.picks import Picks, Steps, Strategy
from sslcore.selection.pool import Pool

__all__ = ["Run", "Selection"]


class Run:
    """A strategy at work on a pool; remembers its picks, so that more can be had without computing again."""

    def __init__(self, pool: Pool, strategy: Strategy, *, seed: int) -> None:
        """Keep what to run; nothing is computed yet."""
        self.pool, self.strategy, self.seed = pool, strategy, seed
        self.steps: Steps | None = None
        self.taken: Picks | None = None

    def first(self, n: int) -> Picks:
        """Return the first ``n`` picks, as positions."""
        if n > len(self.pool.candidates):
            raise UserError(
                f"k must be at most the {len(self.pool.candidates)} samples that can be picked, got {n}"
            )
        if self.strategy.begin is None:
            return self._all_at_once(n)
        if self.steps is None:
            self.steps = self.strategy.begin(self.pool, seed=self.seed)
        missing = n - (0 if self.taken is None else len(self.taken))
        if missing > 0:
            more = self.steps.take(missing)
            self.taken = more if self.taken is None else self.taken.then(more)
        assert self.taken is not None
        return self.taken.first(n)

    def _all_at_once(self, n: int) -> Picks:
        """Return what was taken before and what is picked with that counted as labelled."""
        assert self.strategy.pick is not None
        if self.taken is None:
            self.taken = self.strategy.pick(self.pool, n, seed=self.seed)
        elif n > len(self.taken):
            picked = self.taken.indices
            rest = replace(
                self.pool,
                candidates=np.setdiff1d(self.pool.candidates, picked),
                labelled=np.union1d(self.pool.labelled, picked),
            )
            self.taken = self.taken.then(self.strategy.pick(rest, n - len(picked), seed=self.seed))
        return self.taken.first(n)


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

    def extend(self, k: int) -> "Selection":
        """Return this selection and ``k`` picks more, as one selection of all.

        A greedy strategy goes on where it stopped: the same as asking for all of them at once. The others
        pick anew with what is picked counted as labelled.

        Raises:
            UserError: If there are not so many samples left.
        """
        assert self.run is not None
        if k < 1:
            raise UserError(f"k must be >= 1, got {k}")
        return self.of(self.run.first(len(self.indices) + k))

    def of(self, picks: Picks) -> "Selection":
        """Return the selection of other picks (positions) of the same run."""
        assert self.run is not None
        rows = self.run.pool.vectors.rows(picks.indices)
        return replace(
            self,
            indices=rows,
            reasons=picks.reasons,
            columns=picks.columns,
            gains=picks.gains,
            sample_ids=None if self.ids is None else tuple(self.ids[row] for row in rows),
            plan={**self.plan, "k": len(rows)},
        )

    @property
    def stopped(self) -> str:
        """Why there are fewer picks than were asked for; empty where there are not."""
        return "" if self.run is None else str(getattr(self.run.steps, "stopped", ""))

    @cached_property
    def nearest(self) -> NDArray[np.int64]:
        """For each row the row of the selected sample nearest to it [N], the earlier pick of two as near."""
        return self.indices[self._nearest[1]]

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Distance of each row to the selected sample nearest to it [N]."""
        return np.sqrt(self._nearest[0])

    @cached_property
    def covering_radius(self) -> float:
        """Largest distance of a row to what is selected or labelled."""
        assert self.run is not None
        pool = self.run.pool
        picked = self._positions
        both = np.concatenate([picked, pool.labelled])
        squared, _ = nearest_of(pool.vectors, both) if len(pool.labelled) else self._by_position
        return float(np.sqrt(squared.max()))

    @property
    def provenance(self) -> dict[str, Any]:
        """All that decides the picks: give the same again and get the same."""
        assert self.run is not None
        return {
            "strategy": self.strategy,
            "seed": self.seed,
            "round": self.round,
            "plan": dict(self.plan),
            **self.origin,
            "embedding_hash": self.run.pool.vectors.digest,
        }

    @property
    def _positions(self) -> NDArray[np.int64]:
        assert self.run is not None
        assert self.run.taken is not None
        return self.run.taken.indices[: len(self.indices)]

    @cached_property
    def _by_position(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        assert self.run is not None
        return nearest_of(self.run.pool.vectors, self._positions)

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
