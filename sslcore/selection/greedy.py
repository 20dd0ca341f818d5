"""The greedy choice on a product of objectives, within hard limits.

One pick at a time: among the candidates that every constraint and stop rule allows, the one with the
largest product of objective values to the power of their strengths, as in lightly's selection; ties go to
the lowest position. Each objective is a value in (0, 1]; multiplying all values of one by a number changes
nothing, so that how an objective is normalized does not weigh it: its strength does.

Any prefix of the picks is the smaller selection, but not with `Sequences`: a run is picked only where all of
it fits into the picks that are left, so that fewer picks may be other ones. `Selection.extend` then goes on
from what was asked for, and what was asked for is in the selection's provenance.

Shapes: P candidates, U units (one candidate each, or a run of frames).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.constraints import Sequences
from sslcore.selection.objectives.base import FLOOR
from sslcore.selection.picks import Picks
from sslcore.selection.pool import Pool

__all__ = ["Greedy"]

# Logarithms of products are compared as multiples of this: ties are ties.
QUANTUM = 2.0**-30


class Greedy:
    """A plan at work on a pool."""

    def __init__(
        self, pool: Pool, objectives: Sequence[Any], constraints: Sequence[Any], *, seed: int
    ) -> None:
        """Start all objectives and constraints.

        Raises:
            UserError: If something in them does not fit the pool.
        """
        self.pool = pool
        self.objectives = [(each, each.begin(pool, seed=seed)) for each in objectives]
        self.names = _distinct([each.name for each in objectives])
        runs = [each for each in constraints if isinstance(each, Sequences)]
        if len(runs) > 1:
            raise UserError("constraints hold sequences twice; leave one out")
        self.rules = [(each, each.begin(pool)) for each in constraints if not isinstance(each, Sequences)]
        self.units = runs[0].units(pool) if runs else None
        self.left_P = np.ones(len(pool.candidates), bool)
        # With sequences, which run fits depends on how many picks are left.
        self.prefixes_hold = self.units is None
        self.stopped = ""

    def take(self, n: int) -> Picks:
        """Return the next ``n`` picks; fewer where a rule ends it, which ``stopped`` then names."""
        self.stopped = ""
        places: list[int] = []
        figures: dict[str, list[float]] = {name: [] for name in self.names}
        products: list[float] = []
        reasons: list[str] = []
        while len(places) < n:
            unit = self._next(n - len(places))
            if unit is None:
                break
            for place in unit.tolist():
                log_P = self._log_products()
                reasons.append(self._reason(place, len(unit)))
                products.append(float(np.exp(log_P[place])))
                for name, (_, state) in zip(self.names, self.objectives, strict=True):
                    figures[name].append(state.figure(place))
                self._add(place)
                places.append(place)
        return Picks(
            indices=self.pool.candidates[places],
            reasons=tuple(reasons),
            columns={name: np.array(values, np.float64) for name, values in figures.items()},
            gains=np.array(products, np.float64),
        )

    def _log_products(self) -> NDArray[np.float64]:
        """Return the logarithm of each candidate's product now [P]."""
        total_P = np.zeros(len(self.left_P))
        for each, state in self.objectives:
            if each.strength:
                total_P += each.strength * np.log(np.clip(state.values(), FLOOR, 1.0))
        rounded: NDArray[np.float64] = np.round(total_P / QUANTUM) * QUANTUM
        return rounded

    def _allowed(self) -> NDArray[np.bool_]:
        """Return which candidates may be picked now [P]; notes who ends the selection."""
        allowed_P = self.left_P.copy()
        asked = [(each.name, rule.allowed()) for each, rule in self.rules]
        asked += [(each.name, state.allowed()) for each, state in self.objectives]
        for name, may_P in asked:
            if may_P is not None and allowed_P.any():
                allowed_P &= may_P
                if not allowed_P.any():
                    self.stopped = f"'{name}' allows no further pick"
        return allowed_P

    def _next(self, room: int) -> NDArray[np.int64] | None:
        """Return the places of the next unit, at most ``room``; None: there is none."""
        allowed_P = self._allowed()
        if not allowed_P.any():
            return None
        log_P = self._log_products()
        if self.units is None:
            return np.array([int(np.where(allowed_P, log_P, -np.inf).argmax())])
        fits = [unit for unit in self.units if len(unit) <= room and self._fits(unit, allowed_P)]
        if not fits:
            self.stopped = f"no whole sequence fits into the {room} picks that are left"
            return None
        scores = [round(float(log_P[unit].mean()) / QUANTUM) for unit in fits]
        return fits[int(np.argmax(scores))]

    def _fits(self, unit: NDArray[np.int64], allowed_P: NDArray[np.bool_]) -> bool:
        """Whether all of a unit may be picked, each and together."""
        if not allowed_P[unit].all():
            return False
        asked = [*(rule for _, rule in self.rules), *(state for _, state in self.objectives)]
        return len(unit) == 1 or all(each.fits(unit) for each in asked)

    def _add(self, place: int) -> None:
        self.left_P[place] = False
        for _, state in self.objectives:
            state.add(place)
        for _, rule in self.rules:
            rule.add(place)

    def _reason(self, place: int, length: int) -> str:
        said = [
            f"{name}{'' if each.strength == 1 else f' (strength {each.strength:g})'}: {state.words(place)}"
            for name, (each, state) in zip(self.names, self.objectives, strict=True)
        ]
        run = f" in a sequence of {length}" if length > 1 else ""
        return "; ".join(said) + run if said else f"allowed by all constraints{run}"


def _distinct(names: list[str]) -> list[str]:
    """Return names of which none is there twice: a second gets _2."""
    found: list[str] = []
    for name in names:
        number = names[: len(found)].count(name) + 1
        found.append(name if number == 1 else f"{name}_{number}")
    return found
