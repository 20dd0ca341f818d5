"""Exact farthest-first traversal that computes few distances, and those as products of matrices.

The distance of a row to the nearest centre only falls as centres come. So what it was when the row was
last looked at is an upper bound, and a row has to be looked at again only when its bound is among the
largest. In each round the rows with the largest bounds meet all centres that they have not met, in one
product; then picks are made among them until the largest distance is no longer certainly above every
bound outside. No pair is computed twice, so it is never more work than the traversal by the book, and
typically a quarter to a half of it, at the speed of a matrix product instead of that of the memory.

Products are float32 with a certified error (`Screen`); what they leave open is decided in float64, so that
the picks are those of the traversal by the book in float64, ties to the lowest position.

Shapes: P candidates, L labelled, D dimensions, B rows of a block, S of them still in question.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.largest import Largest
from sslcore.selection.pool import Pool
from sslcore.selection.screen import PAIRS_AT_ONCE, Screen, rough

__all__ = ["FarthestFirst", "Found"]

# Rows of a block: large enough for a product of matrices, small enough that few rows are met in vain.
BLOCK = 2048
# At most so many rows have all distances among them computed at once; above, one column per pick.
GRAM = 4096
NOBODY = -1


@dataclass(frozen=True)
class Found:
    """Picks in order, as positions."""

    positions: NDArray[np.int64]
    """What was picked [n]."""
    nearest: NDArray[np.int64]
    """Labelled or picked position nearest to each at that moment, the earliest of several; `NOBODY` [n]."""
    squared: NDArray[np.float64]
    """Squared distance to it; inf if there was none [n]."""


class FarthestFirst:
    """A traversal at work: the candidate of the largest weight x distance comes next."""

    def __init__(self, pool: Pool, weights: NDArray[np.float64] | None = None) -> None:
        """Meet what is labelled.

        Args:
            pool: What to pick from.
            weights: Factor of each candidate's distance, >= 0 [P]; None is 1 for all.
        """
        self.pool, self.screen = pool, Screen(pool.vectors)
        self.positions = pool.candidates
        self.weights = None if weights is None else weights * weights
        total = len(self.positions)
        self.best = np.full(total, np.inf, np.float32)
        """Squared distance to the nearest centre met, within ``screen.error``; -inf: picked."""
        self.second = np.full(total, np.inf, np.float32)
        """The same to the second nearest, or less."""
        self.nearest = np.full(total, NOBODY, np.int32 if len(pool) < 2**31 else np.int64)
        self.met = np.zeros(total, np.int32)
        """How many picks each candidate has met."""
        self.bound = self.best if self.weights is None else np.full(total, np.inf, np.float32)
        """What to order candidates by; the largest possible, but for ``screen.error`` without weights."""
        self.picks = np.empty(0, np.int64)
        self.centres = torch.empty(0, pool.vectors.dim)  # picks times -2
        self.lengths = torch.empty(0)
        self.exact = np.full(total, np.nan)
        """Exact squared distance to the nearest centre met, where it is known."""
        self.num_pairs = 0
        self.largest = Largest(self.bound)
        self._copies: Found | None = None
        self._copies_at = 0
        self._meet_all(pool.labelled)

    def take(self, n: int) -> Found:
        """Return the next ``n`` picks; there must be as many left."""
        found: list[Found] = []
        missing, size = n, BLOCK
        while missing:
            if len(self.picks) + len(self.pool.labelled) == 0:
                part = self._first()
            elif self._copies is not None:
                part = self._rest(missing)
            else:
                part, was_fresh = self._round(size, missing)
                if len(part.positions):
                    size = max(BLOCK, size // 2)
                elif was_fresh:  # more rows than the block holds are too close to call
                    size *= 2
            found.append(part)
            missing -= len(part.positions)
        return Found(
            np.concatenate([part.positions for part in found]),
            np.concatenate([part.nearest for part in found]),
            np.concatenate([part.squared for part in found]),
        )

    def _meet_all(self, centres: NDArray[np.int64]) -> None:
        """Compare every candidate with some centres."""
        for start in range(0, len(centres), 1024):
            some = centres[start : start + 1024]
            twice, lengths = self.screen.rows(some).mul_(-2), self.screen.lengths(some)
            for first in range(0, len(self.positions), 4096):
                rows = np.arange(first, min(first + 4096, len(self.positions)))
                self._merge(rows, self.screen.rows(self.positions[rows]), twice, lengths, some)
        self.update_bounds(slice(None))

    def _first(self) -> Found:
        """Pick the candidate nearest to the mean; with weights the one of the largest weight."""
        if self.weights is not None:
            row = int(self.weights.argmax())
        else:
            row = self._nearest_to(self._mean())
        position = self.positions[row : row + 1]
        self._meet_all(position)
        self.append(np.array([row]))
        self.met[:] = 1
        return Found(position, np.array([NOBODY]), np.array([np.inf]))

    def _mean(self) -> NDArray[np.float64]:
        step = self.pool.vectors.rows_at_once
        total = np.zeros(self.pool.vectors.dim)
        for start in range(0, len(self.positions), step):
            total += self.pool.vectors.exact(self.positions[start : start + step]).sum(axis=0)
        return total / len(self.positions)

    def _nearest_to(self, point: NDArray[np.float64]) -> int:
        """Return the candidate nearest to a point, ties to the first."""
        near = np.empty(len(self.positions), np.float32)
        twice = torch.from_numpy((-2 * point).astype(np.float32))[None]
        for start in range(0, len(self.positions), 4096):
            some = self.positions[start : start + 4096]
            tile = rough(self.screen.rows(some), twice, torch.zeros(1))[:, 0]
            near[start : start + 4096] = (tile + self.screen.lengths(some)).numpy()
        contenders = np.flatnonzero(near <= float(near.min()) + 2 * self.screen.error)
        exact = self.screen.exact_to(self.positions[contenders], point)
        return int(contenders[exact.argmin()])

    def append(self, rows: NDArray[np.int64]) -> None:
        """Make candidates centres."""
        count = len(self.picks)
        if count + len(rows) > len(self.centres):
            room = max(256, 2 * len(self.centres), count + len(rows))
            centres, lengths = torch.empty(room, self.pool.vectors.dim), torch.empty(room)
            centres[:count], lengths[:count] = self.centres[:count], self.lengths[:count]
            self.centres, self.lengths = centres, lengths
        positions = self.positions[rows]
        self.centres[count : count + len(rows)] = self.screen.rows(positions).mul_(-2)
        self.lengths[count : count + len(rows)] = self.screen.lengths(positions)
        self.picks = np.concatenate([self.picks, positions])
        self.best[rows] = -np.inf

    def update_bounds(self, rows: slice | NDArray[np.int64]) -> None:
        """Take over what was learnt of the distances of some candidates."""
        if self.weights is None:
            return  # best is the bound
        best, weights = self.best[rows].astype(np.float64), self.weights[rows]
        with np.errstate(invalid="ignore"):  # 0 x inf
            high = np.where(weights > 0, weights * (best + self.screen.error), 0.0).astype(np.float32)
        high = np.nextafter(high, np.float32(np.inf), out=high, where=high > 0)
        self.bound[rows] = np.where(best == -np.inf, np.float32(-np.inf), high)

    def _merge(
        self,
        rows: NDArray[np.int64],
        x: Tensor,
        centres: Tensor,
        lengths: Tensor,
        positions: NDArray[np.int64],
    ) -> None:
        """Compare some candidates (their vectors are ``x``) with centres that they have not met."""
        self.num_pairs += len(rows) * len(centres)
        step = max(1, PAIRS_AT_ONCE // len(centres))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            tile = rough(x[start : start + step], centres, lengths)
            least = tile.min(dim=1)
            tile.scatter_(1, least.indices[:, None], math.inf)
            own = self.screen.lengths(self.positions[some])
            value, then = (least.values + own).numpy(), (tile.amin(dim=1) + own).numpy()
            old = self.best[some]
            closer = value < old
            self.second[some] = np.minimum(np.minimum(self.second[some], then), np.where(closer, old, value))
            self.best[some] = np.where(closer, value, old)
            self.exact[some[value <= old + 2 * self.screen.error]] = np.nan
            self.nearest[some[closer]] = positions[least.indices.numpy()[closer]]

    def _round(self, size: int, want: int) -> tuple[Found, bool]:
        """Look at the candidates of the largest bounds and pick among them what is certain."""
        if self.weights is None and len(self.picks) >= self._copies_at:
            highest = float(self.best.max())
            if highest <= 4 * self.screen.error and self._only_copies():
                return self._rest(want), True
        rows, tau = self.largest.find(size, len(self.bound) - len(self.picks))
        if self.weights is None:
            tau += self.screen.error
        count = len(self.picks)
        met = self.met[rows]
        fresh = bool((met == count).all())
        x = self.screen.rows(self.positions[rows])
        for version in np.unique(met[met < count]).tolist():
            part = np.flatnonzero(met == version)
            self._merge(
                rows[part],
                x[torch.from_numpy(part)],
                self.centres[version:count],
                self.lengths[version:count],
                self.picks[version:],
            )
        self.met[rows] = count
        self.update_bounds(rows)
        return _Block(self, rows, x, tau).pick(want), fresh

    def _only_copies(self) -> bool:
        """Whether every candidate left is a copy of a centre: then the rest is in order."""
        rows = np.flatnonzero(self.best > -np.inf)
        squared, nearest = self.resolve(rows, np.empty(0, np.int64))
        self._copies_at = len(self.picks) + int(np.count_nonzero(squared))
        if squared.any():
            return False
        self._copies = Found(self.positions[rows], nearest, squared)
        return True

    def _rest(self, n: int) -> Found:
        assert self._copies is not None
        whole = self._copies
        self._copies = Found(whole.positions[n:], whole.nearest[n:], whole.squared[n:])
        return Found(whole.positions[:n], whole.nearest[:n], whole.squared[:n])

    def resolve(
        self, rows: NDArray[np.int64], extra: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Compare candidates exactly with every centre that may be their nearest.

        Args:
            rows: Which candidates.
            extra: Positions of centres that came after ``picks``.

        Returns:
            Squared distance to the nearest, and the position of the earliest that is so near.
        """
        everyone = np.concatenate([self.pool.labelled, self.picks, extra])
        squared, nearest = np.empty(len(rows)), np.empty(len(rows), np.int64)
        for start in range(0, len(rows), 1024):
            some = rows[start : start + 1024]
            row, centre = self._within_error(some, everyone)
            exact = self.screen.exact(self.positions[some[row]], everyone[centre])
            order = np.lexsort((centre, exact, row))
            _, firsts = np.unique(row[order], return_index=True)
            squared[start : start + 1024] = exact[order][firsts]
            nearest[start : start + 1024] = everyone[centre[order][firsts]]
        return squared, nearest

    def _within_error(
        self, rows: NDArray[np.int64], everyone: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs (number in rows, number in everyone) that may be nearest."""
        x, own = self.screen.rows(self.positions[rows]), self.screen.lengths(self.positions[rows])
        limit, found = torch.full((len(rows),), math.inf), []
        for start in range(0, len(everyone), 4096):
            some = everyone[start : start + 4096]
            tile = rough(x, self.screen.rows(some).mul_(-2), self.screen.lengths(some)) + own[:, None]
            limit = torch.minimum(limit, tile.amin(dim=1) + 2 * self.screen.error)
            row, centre = torch.nonzero(tile <= limit[:, None], as_tuple=True)
            found.append((row, centre + start, tile[row, centre]))
        row, centre, value = (torch.cat(part) for part in zip(*found, strict=True))
        kept = value <= limit[row]
        return row[kept].numpy(), centre[kept].numpy()


class _Block:
    """Some candidates that have met all centres, while picks are made among them."""

    def __init__(self, whole: FarthestFirst, rows: NDArray[np.int64], x: Tensor, tau: float) -> None:
        self.whole, self.tau = whole, tau
        self.error = whole.screen.error
        weights = None if whole.weights is None else whole.weights[rows]
        best = whole.best[rows].astype(np.float64)
        # Below what is outside: not in question.
        highest = best + self.error
        if weights is not None:
            open_ = best > -np.inf  # picked before is -inf, which times a weight of 0 would be no number
            highest[open_] *= weights[open_]
        kept = np.flatnonzero(highest >= tau)
        self.rows, self.x = rows[kept], x[torch.from_numpy(kept)]
        self.positions = whole.positions[self.rows]
        self.best, self.second = best[kept], whole.second[self.rows].astype(np.float64)
        self.nearest, self.exact = whole.nearest[self.rows], whole.exact[self.rows]
        self.weights = None if weights is None else weights[kept]
        self.picked: list[int] = []
        own, twice = whole.screen.lengths(self.positions), self.x * -2
        self.own, self.gram = own.numpy(), None
        if len(kept) <= GRAM:
            self.gram = rough(self.x, twice, own).numpy()

    def pick(self, want: int) -> Found:
        """Pick while the largest is certain; write back what was learnt."""
        distances, neighbours = [], []
        while len(self.picked) < min(want, len(self.rows)):
            chosen = self._certain()
            if chosen is None:
                break
            neighbours.append(int(self.nearest[chosen]))
            distances.append(float(self.exact[chosen]))
            self.picked.append(chosen)
            self._meet(chosen)
        self._write_back()
        squared, near = np.array(distances, np.float64), np.array(neighbours, np.int64)
        open_ = np.flatnonzero(np.isnan(squared))
        picks = self.positions[self.picked]
        squared[open_] = self.whole.screen.exact(picks[open_], near[open_])
        return Found(picks, near, squared)

    def _certain(self) -> int | None:
        """Return the next pick if it is certainly above everything outside."""
        if self.weights is None:
            low = float(self.best.max()) - self.error
            contenders = np.flatnonzero(self.best >= low - self.error)
            high = low + 2 * self.error
        else:
            open_ = self.best > -np.inf
            highs, lows = np.full((2, len(self.best)), -np.inf)
            highs[open_] = self.weights[open_] * (self.best[open_] + self.error)
            lows[open_] = self.weights[open_] * (self.best[open_] - self.error)
            low = max(0.0, float(lows.max()))
            contenders = np.flatnonzero(highs >= low)
            high = float(highs.max())
        if high <= self.tau:
            return None
        if len(contenders) == 1:
            chosen = int(contenders[0])
            if low <= self.tau:
                return None
            if np.isnan(self.exact[chosen]) and self.second[chosen] - self.best[chosen] <= 2 * self.error:
                self._settle(contenders)  # which centre is nearest is not certain yet
            return chosen
        self._settle(contenders[np.isnan(self.exact[contenders])])
        values = self.exact[contenders]
        if self.weights is not None:
            values = self.weights[contenders] * values
        first = int(values.argmax())
        return int(contenders[first]) if values[first] > self.tau else None

    def _settle(self, some: NDArray[np.int64]) -> None:
        """Compute the exact distance to the nearest centre."""
        if len(some) == 0:
            return
        exact = self.whole.screen.exact(self.positions[some], self.nearest[some].astype(np.int64))
        unsure = np.flatnonzero(self.second[some] - self.error <= exact)
        if len(unsure):
            extra = self.positions[self.picked]
            exact[unsure], nearest = self.whole.resolve(self.rows[some[unsure]], extra)
            self.nearest[some[unsure]] = nearest
        self.exact[some] = exact
        self.best[some] = exact

    def _meet(self, chosen: int) -> None:
        """Compare all with the new centre."""
        if self.gram is not None:
            column = self.gram[chosen] + self.own[chosen]
        else:
            tile = rough(self.x[chosen : chosen + 1] * -2, self.x, torch.from_numpy(self.own))
            column = tile[0].numpy() + self.own[chosen]
        self.best[chosen] = -math.inf
        close = np.flatnonzero(column <= self.best + 2 * self.error)
        is_known = ~np.isnan(self.exact[close])
        known, close = close[is_known], close[~is_known]
        best, new = self.best[close], column[close]
        self.second[close] = np.minimum(self.second[close], np.maximum(best, new))
        self.best[close] = np.minimum(best, new)
        self.nearest[close[new < best]] = self.positions[chosen]
        if len(known):
            exact = self.whole.screen.exact(self.positions[known], self.positions[chosen].repeat(len(known)))
            closer = known[exact < self.exact[known]]
            self.exact[closer] = self.best[closer] = exact[exact < self.exact[known]]
            self.nearest[closer] = self.positions[chosen]

    def _write_back(self) -> None:
        whole = self.whole
        whole.best[self.rows], whole.second[self.rows] = self.best, self.second
        whole.nearest[self.rows], whole.exact[self.rows] = self.nearest, self.exact
        whole.append(self.rows[self.picked])
        whole.met[self.rows] = len(whole.picks)
        whole.update_bounds(self.rows)
