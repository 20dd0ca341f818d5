"""The search behind deduplication: what is within a distance of what is kept, in order, and exactly.

Two vectors are at least as far apart as along any line, so a vector is compared only with the
groups (k-means) that lie near enough on the line from its own centre to theirs; and of what is left most
pairs are ruled out in a third of the dimensions, 128 at most. Both only shorten distances: nothing is missed.

Shapes: n rows, K groups, D dimensions, d of a projection.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.selection.clusters import Clusters
from sslcore.selection.screen import UNIT, Screen, rough

__all__ = ["DuplicateSearch", "Duplicates", "bytes_needed"]

# Vectors that are compared at once: a share of all, so that what is kept is read a few times only.
BLOCKS, LEAST_BLOCK, MOST_BLOCK = 8, 2048, 16_384
COLUMNS = 4096
# Near pairs of a block; a block with more is halved. They are many where everything is alike.
MOST_PAIRS = 2_000_000
# Share of pairs left by projections above which a product in all dimensions is faster than one by one.
DENSE = 0.02
# Pairs that are looked at exactly at once.
UNSURE_AT_ONCE = 1_000_000
# Dimensions in which vectors are compared first: with fewer, too many pairs are left for the rest.
PROJECTED = 128
# Vectors of fewer dimensions are compared whole.
LEAST_PROJECTED = 64


@dataclass(frozen=True)
class Duplicates:
    """What is dropped."""

    positions: NDArray[np.int64]
    """Candidates that are dropped, ascending [n]."""
    kept: NDArray[np.int64]
    """For each a kept or labelled position within the distance [n]."""


def bytes_needed(count: int, dim: int, num_groups: int) -> int:
    """Return the bytes that so many vectors take: projections, and tiles of pairs and of groups."""
    block = min(count, _block_size(count))
    return (
        count * (4 * _projected(dim) + 40)
        + 8 * block * (min(count, COLUMNS) + num_groups)
        + 20 * num_groups**2
    )


def _block_size(count: int) -> int:
    return min(max(count // BLOCKS, LEAST_BLOCK), MOST_BLOCK)


def _projected(dim: int) -> int:
    """Return d."""
    return dim if dim < LEAST_PROJECTED else min(PROJECTED, dim // 3)


class DuplicateSearch:
    """What is within a distance of what is kept: ruled out by groups and projections, decided exactly."""

    def __init__(
        self, screen: Screen, distance: float, members: NDArray[np.int64], found: Clusters, *, across: bool
    ) -> None:
        """Keep nothing yet.

        Args:
            screen: Of the vectors.
            distance: What is at most so far is near.
            members: Positions, ascending [n].
            found: Their groups.
            across: Whether pairs of different groups count.
        """
        self.screen, self.limit = screen, distance**2
        # Rounded as distances are, so that a pair that is just on it is within it.
        self.limit = float(np.rint(self.limit / screen.quantum) * screen.quantum)
        dim = screen.vectors.dim
        self.projected = _projected(dim)
        self.basis = self._principal() if self.projected < dim else None
        # How far rounding may move a projected vector, and so lengthen a squared distance.
        moved = 2 * dim * UNIT * float(np.sqrt(self.projected * screen.vectors.squared.max(initial=0.0)))
        self.slack = 2 * screen.error + 4 * moved * (distance + moved)
        self.group = np.zeros(len(screen.vectors), np.int64)
        self.group[members] = found.group
        farthest = float(np.sqrt(self.limit + screen.quantum))  # that is still rounded to the limit
        self.borders = _Borders(screen, members, found, farthest) if across else None
        # What a group keeps stands in a row, with room for all its members.
        sizes = np.bincount(found.group, minlength=max(1, len(found.centres)))
        self.first, self.count = np.cumsum(sizes) - sizes, np.zeros_like(sizes)
        self.kept = np.empty(len(members), np.int64)
        self.rank = np.empty(len(members), np.int64)
        self.vectors = torch.empty(len(members), self.projected)
        self.num_kept, self.block_size = 0, _block_size(len(members))

    def keep(self, positions: NDArray[np.int64]) -> None:
        """Keep positions, whatever is near them."""
        for start in range(0, len(positions), self.block_size):
            block = positions[start : start + self.block_size]
            self._place(block, self._project(block))
            self._settle(block)

    def run(self, order: NDArray[np.int64]) -> Duplicates:
        """Go through positions in order; keep what is not near anything that is kept."""
        dropped, keepers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        waiting = [order[start : start + self.block_size] for start in range(0, len(order), self.block_size)]
        waiting.reverse()
        while waiting:
            block = waiting.pop()
            x = self._project(block)
            keeper = self._keepers(block, x)
            if keeper is None:
                waiting += [block[len(block) // 2 :], block[: len(block) // 2]]
                continue
            new = keeper < 0
            self._place(block[new], x[torch.from_numpy(new)])
            self._settle(block[new])
            dropped.append(block[~new])
            keepers.append(keeper[~new])
        positions = np.concatenate(dropped)
        by_position = np.argsort(positions)
        return Duplicates(positions[by_position], np.concatenate(keepers)[by_position])

    def _keepers(self, block: NDArray[np.int64], x: Tensor) -> NDArray[np.int64] | None:
        """Return for each row of a block the first that is kept and near, or -1; None if it is too large."""
        self._place(block, x)  # for now: rows are compared with those before them too
        found = self._near(block, x)
        if found is None:
            return None
        row, slot = found
        rank = self.rank[slot]
        order = np.lexsort((rank, row))
        row, slot, rank = row[order], slot[order], rank[order] - self.num_kept
        keeper = np.full(len(block), -1, np.int64)
        old = rank < 0
        keeper[row[old][::-1]] = self.kept[slot[old]][::-1]  # the first of several
        earlier = ~old & (rank < row) & (keeper[row] < 0)
        for a, b in zip(row[earlier].tolist(), rank[earlier].tolist(), strict=True):
            if keeper[a] < 0 and keeper[b] < 0:
                keeper[a] = block[b]
        return keeper

    def _place(self, positions: NDArray[np.int64], x: Tensor) -> None:
        """Write positions behind what their groups keep, ranked in their order."""
        group = self.group[positions]
        order = np.argsort(group, kind="stable")
        group = group[order]
        slots = self.first[group] + self.count[group] + np.arange(len(group)) - np.searchsorted(group, group)
        self.kept[slots] = positions[order]
        self.rank[slots] = self.num_kept + order
        self.vectors[torch.from_numpy(slots)] = x[torch.from_numpy(order)]

    def _settle(self, positions: NDArray[np.int64]) -> None:
        """Keep for good what was placed last."""
        self.count += np.bincount(self.group[positions], minlength=len(self.count))
        self.num_kept += len(positions)

    def _near(
        self, block: NDArray[np.int64], x: Tensor
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Return the pairs (row, slot) within the distance, of what is kept or placed; None if too many.

        They are in any order. A single row may have any number of them.
        """
        rows, slots = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        count = 0
        own = (x * x).sum(dim=1)
        limits = (self.limit + self.slack - own)[:, None]
        ends = self.first + self.count + np.bincount(self.group[block], minlength=len(self.count))

        def decide() -> bool:
            row = np.concatenate([each for each, _ in waiting])
            slot = np.concatenate([each for _, each in waiting])
            near = self.screen.within(block[row], self.kept[slot], self.limit)
            rows.append(row[near])
            slots.append(slot[near])
            waiting.clear()
            return sum(map(len, rows)) <= MOST_PAIRS or len(block) == 1

        for group, some in self._compared(block):
            which = torch.from_numpy(some)
            part, most = x[which], limits[which]
            for start in range(self.first[group], ends[group], COLUMNS):
                others = self.vectors[start : min(start + COLUMNS, ends[group])]
                tile = rough(part, others * -2, (others * others).sum(dim=1))
                maybe = tile <= most
                if int(maybe.sum()) > DENSE * maybe.numel():
                    maybe = self._whole(block[some], self.kept[start : start + len(others)])
                row, other = (found.numpy() for found in torch.nonzero(maybe, as_tuple=True))
                waiting.append((some[row], start + other))
                count += len(row)
                if count > UNSURE_AT_ONCE:
                    if not decide():
                        return None
                    count = 0
        if waiting and not decide():
            return None
        return np.concatenate(rows), np.concatenate(slots)

    def _whole(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Tensor:
        """Return which pairs of positions may be within the distance by all dimensions, bool [n, m]."""
        lengths = self.screen.lengths(a)[:, None]
        tile = rough(self.screen.rows(a), self.screen.rows(b) * -2, self.screen.lengths(b))
        return tile <= self.limit + 2 * self.screen.error - lengths

    def _compared(self, block: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield groups, and the rows of a block that are to be compared with what each keeps."""
        own = self.group[block]
        if self.borders is None:
            row = np.argsort(own, kind="stable")
            group = own[row]
        else:
            pairs = self.borders.reached(block, own).T.contiguous().nonzero()
            group, row = pairs.T.contiguous().numpy()
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        for number, some in zip(group[starts], np.split(row, starts[1:]), strict=True):
            yield int(number), some

    def _project(self, positions: NDArray[np.int64]) -> Tensor:
        x = self.screen.rows(positions)
        return x if self.basis is None else x @ self.basis

    def _principal(self) -> Tensor:
        """Return the directions in which the vectors differ most, orthonormal [D, d]."""
        vectors = self.screen.vectors
        some = np.unique(np.linspace(0, max(0, len(vectors) - 1), 4096).astype(np.int64))
        x = vectors.exact(some)
        x -= x.mean(axis=0)
        _, directions = np.linalg.eigh(x.T @ x)
        return torch.from_numpy(np.ascontiguousarray(directions[:, -self.projected :])).float()


class _Borders:
    """Which groups may hold something within a distance of a vector.

    Of a vector x of group g and a centre h let t(x, h) = |x - h|^2 - |x - g|^2: twice |g - h| times how far
    x lies on its own side of the plane between the two. Something of group h lies at least its own way on
    the other side, so the two are at least (t(x, h) + t(y, g)) / (2 |g - h|) apart.
    """

    def __init__(self, screen: Screen, members: NDArray[np.int64], found: Clusters, distance: float) -> None:
        self.screen = screen
        centres = found.centres
        self.centres = torch.from_numpy((-2 * centres).astype(np.float32))
        self.lengths = torch.from_numpy(np.einsum("kd,kd->k", centres, centres).astype(np.float32))
        least = torch.full((len(centres), len(centres)), torch.inf)  # t(y, g) over each group h, [h, g]
        by_group = np.argsort(found.group, kind="stable")
        sizes = np.bincount(found.group, minlength=len(centres))
        for number, rows in enumerate(np.split(by_group, np.cumsum(sizes)[:-1])):
            for start in range(0, len(rows), COLUMNS):
                some = rows[start : start + COLUMNS]
                sides = self._sides(members[some], found.group[some])
                least[number] = torch.minimum(least[number], sides.amin(dim=0))
        squared = np.maximum(
            np.add.outer((centres**2).sum(axis=1), (centres**2).sum(axis=1)) - 2 * centres @ centres.T, 0
        )
        # Each of the four squared distances may be off by the screen's error; twice that, for their centres.
        most = torch.from_numpy(2 * distance * np.sqrt(squared) + 8 * screen.error).float()
        self.most = most - least.T

    def reached(self, positions: NDArray[np.int64], group: NDArray[np.int64]) -> Tensor:
        """Return for positions of some groups which groups may hold something near, bool [n, K]."""
        return self._sides(positions, group) <= self.most[torch.from_numpy(group)]

    def _sides(self, positions: NDArray[np.int64], group: NDArray[np.int64]) -> Tensor:
        """Return t, float32 [n, K]."""
        tile = rough(self.screen.rows(positions), self.centres, self.lengths)
        return tile.sub_(tile.gather(1, torch.from_numpy(group)[:, None]))
