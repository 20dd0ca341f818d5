"""Objective ``balance``: towards given shares of the values of a column.

Value: for a sample with value v, t_v (n + 1) / (n_v + 1) for its target share t_v, the n_v of v among what
is labelled and picked, and their number n; over the largest of all values. It is 1 for the value that lacks
most, and falls with each pick of it. For predictions, the mean over the classes, weighted by their
probabilities.

Shapes: P candidates, V values.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import UserError
from sslcore.selection.objectives.base import (
    FLOOR,
    State,
    by_position,
    check_limit,
    check_strength,
)
from sslcore.selection.pool import Pool, is_missing
from sslcore.selection.scorers.probabilities import check_probabilities

__all__ = ["Balance"]

logger = logging.getLogger(__name__)

# What a sample without a value is called.
MISSING = "none"


@dataclass(frozen=True)
class Balance:
    """Prefer what brings the picks towards target shares."""

    values: Sequence[Any] | ArrayLike
    """A value by row [N], None where there is none (then called "none"); or probabilities [N, V]."""
    target: str | Mapping[Any, float] = "uniform"
    """``uniform`` over what is a value (not "none"), ``input`` (the shares of all rows), or a share for each
    value; others then have 0."""
    names: Sequence[str] = ()
    """Names of the V values, where probabilities are given."""
    strength: float = 1.0
    """Power in the product."""
    name: str = "balance"
    """Column of how much a pick's value lacked."""

    def begin(self, pool: Pool, *, seed: int) -> State:
        """Count what is labelled."""
        del seed
        check_strength(self.strength)
        names, shares_NV, wanted_V = self._shares(pool)
        shares_PV = shares_NV[pool.candidates]
        alike = len(shares_PV) > 1 and bool((shares_PV == shares_PV[0]).all())
        if alike:
            logger.warning(
                "'%s' decides nothing: all %d samples that can be picked have the value '%s'",
                self.name,
                len(shares_PV),
                names[int(shares_PV[0].argmax())],
            )
        return _Lack(names, self._target(names, shares_NV, wanted_V), shares_NV, pool)

    def _shares(self, pool: Pool) -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the names of the values, the share of each by position, and which a uniform target wants."""
        given = by_position(self.values, pool, what=f"'{self.name}'")
        if given.ndim == 2:
            names = [str(name) for name in self.names] or [str(number) for number in range(given.shape[1])]
            if len(names) != given.shape[1]:
                raise UserError(f"'{self.name}' has {given.shape[1]} classes, but {len(names)} names")
            return names, check_probabilities(given, what=f"'{self.name}'", ndim=2), np.ones(len(names), bool)
        if given.ndim != 1:
            raise UserError(f"'{self.name}' must be [N] or probabilities [N, V], got {list(given.shape)}")
        listed = given.tolist()
        missing = np.array([is_missing(value) for value in listed])
        text = [MISSING if gone else str(value) for value, gone in zip(listed, missing, strict=True)]
        kinds, number_N = np.unique(np.array(text), return_inverse=True)
        shares: NDArray[np.float64] = np.eye(len(kinds))[number_N]
        return kinds.tolist(), shares, (kinds != MISSING) | (not missing.any())

    def _target(
        self, names: list[str], shares_NV: NDArray[np.float64], wanted_V: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        if self.target == "uniform":
            if not wanted_V.any():
                raise UserError(f"'{self.name}' cannot balance: no sample has a value")
            uniform: NDArray[np.float64] = wanted_V / wanted_V.sum()
            return uniform
        if self.target == "input":
            mean: NDArray[np.float64] = shares_NV.mean(axis=0)
            return mean
        if not isinstance(self.target, Mapping):
            raise UserError(
                f"the target of '{self.name}' must be uniform, input or shares, got '{self.target}'"
            )
        share_of = {
            str(name): check_limit(share, what="the target", name=self.name)
            for name, share in self.target.items()
        }
        missing = [each for each in share_of if each not in names]
        if missing:
            known = ", ".join(names[:10])
            raise UserError(f"the target of '{self.name}' names '{missing[0]}', which no sample has: {known}")
        share = np.array([share_of.get(name, 0.0) for name in names])
        if (share < 0).any() or not 0 < share.sum() < np.inf:
            raise UserError(f"the target of '{self.name}' must be finite shares >= 0 with a sum above 0")
        wanted: NDArray[np.float64] = share / share.sum()
        return wanted


class _Lack:
    def __init__(
        self, names: list[str], target_V: NDArray[np.float64], shares_NV: NDArray[np.float64], pool: Pool
    ) -> None:
        self.names, self.target_V = names, target_V
        self.shares_PV = shares_NV[pool.candidates]
        self.count_V: NDArray[np.float64] = shares_NV[pool.labelled].sum(axis=0)

    def _lack(self) -> NDArray[np.float64]:
        lack = self.target_V * (self.count_V.sum() + 1) / (self.count_V + 1)
        relative: NDArray[np.float64] = lack / lack.max()
        return relative

    def values(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.clip(self.shares_PV @ self._lack(), FLOOR, 1.0)
        return found

    def allowed(self) -> NDArray[np.bool_] | None:
        return None

    def fits(self, places: NDArray[np.int64]) -> bool:
        del places
        return True

    def figure(self, place: int) -> float:
        return float(self.shares_PV[place] @ self._lack())

    def words(self, place: int) -> str:
        value = int(self.shares_PV[place].argmax())
        have = self.count_V[value] / max(float(self.count_V.sum()), 1.0)
        return (
            f"'{self.names[value]}' is {100 * have:.0f} % so far, {100 * self.target_V[value]:.0f} % wanted"
        )

    def add(self, place: int) -> None:
        self.count_V = self.count_V + self.shares_PV[place]
