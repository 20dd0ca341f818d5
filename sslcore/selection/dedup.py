"""Near-duplicates out, before anything is picked: exact for any pool that fits, and by groups for large ones.

Exact: in the order of the ids, a candidate is dropped if it is at most ``min_distance`` from a labelled or
kept one. Most pairs are ruled out in a third of the dimensions, 128 at most: orthogonal projection only
shortens distances.

Groups: SemDeDup (Abbas et al. 2023, https://arxiv.org/abs/2303.09540). The same rule inside each k-means
group, of which the samples farthest from the centre are kept first; pairs across the border of two groups
are missed.

Shapes: n rows, D dimensions, d of a projection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.selection.clusters import cluster
from sslcore.selection.memory import require_memory
from sslcore.selection.pool import Pool
from sslcore.selection.screen import UNIT, Screen, rough

__all__ = ["Dedup", "Duplicates", "as_dedup", "find_duplicates"]

BLOCK = 2048
COLUMNS = 4096
# Dimensions in which vectors are compared first: with fewer, too many pairs are left for the rest.
PROJECTED = 128
# Vectors of fewer dimensions are compared whole.
LEAST_PROJECTED = 64
GROUP_SIZE = 1000


@dataclass(frozen=True)
class Dedup:
    """How to take out near-duplicates."""

    min_distance: float
    """Drop what is at most this far from what is kept; sqrt(2 - 2 cos) on vectors of unit length."""
    method: Literal["exact", "semdedup"] = "exact"
    """``exact``, or ``semdedup``: only within k-means groups."""
    num_groups: int | None = None
    """Groups of ``semdedup``; None is one for about 1,000 vectors."""


@dataclass(frozen=True)
class Duplicates:
    """What is dropped."""

    positions: NDArray[np.int64]
    """Candidates that are dropped, ascending [n]."""
    kept: NDArray[np.int64]
    """For each a kept or labelled position within the distance [n]."""


def as_dedup(given: float | Dedup | Mapping[str, object] | None) -> Dedup | None:
    """Return a `Dedup`: a number is the least distance, exact; a mapping has its fields.

    Raises:
        ConfigError: If a field is not known or out of range.
    """
    if given is None or isinstance(given, Dedup):
        wanted = given
    elif isinstance(given, Mapping):
        unknown = sorted(set(given) - {"min_distance", "method", "num_groups"})
        if unknown or "min_distance" not in given:
            got = ", ".join(map(str, given))
            raise ConfigError(f"dedup has min_distance, and may have method and num_groups, got {got}")
        wanted = Dedup(**given)  # type: ignore[arg-type]
    else:
        wanted = Dedup(float(given))
    if wanted is not None:
        if not 0 <= wanted.min_distance < float("inf"):
            raise ConfigError(f"dedup: min_distance must be >= 0, got {wanted.min_distance}")
        if wanted.method not in ("exact", "semdedup"):
            raise ConfigError(f"dedup: method must be one of exact, semdedup, got '{wanted.method}'")
        if wanted.num_groups is not None and wanted.num_groups < 1:
            raise ConfigError(f"dedup: num_groups must be >= 1, got {wanted.num_groups}")
    return wanted


def find_duplicates(pool: Pool, dedup: Dedup, *, seed: int) -> Duplicates:
    """Return the candidates that are near a labelled or kept one.

    Args:
        pool: Labelled vectors are always kept.
        dedup: How.
        seed: Seed of the groups of ``semdedup``.

    Raises:
        UserError: If comparing everything exactly would not fit in the pool's memory.
    """
    screen = Screen(pool.vectors)
    if dedup.method == "exact":
        search = _Search(screen, dedup.min_distance)
        require_memory(
            search.bytes_needed(len(pool.candidates) + len(pool.labelled)),
            pool.memory,
            what=f"exact deduplication of {len(pool.candidates)} samples",
            instead="give memory= more, or take method semdedup, which compares within groups",
        )
        return search.run(pool.candidates, pool.labelled)
    everyone = pool.everyone
    count = dedup.num_groups or max(1, len(everyone) // GROUP_SIZE)
    found = cluster(screen, everyone, count, rng=np.random.default_rng(seed))
    search, parts = _Search(screen, dedup.min_distance), []
    is_labelled = np.isin(everyone, pool.labelled)
    order = np.lexsort((everyone, -found.squared, found.group))  # hard ones, far from the centre, are kept
    for group in np.split(order, np.cumsum(np.bincount(found.group))[:-1]):
        given = is_labelled[group]
        parts.append(search.run(everyone[group[~given]], np.sort(everyone[group[given]])))
    positions = np.concatenate([part.positions for part in parts])
    by_position = np.argsort(positions)
    return Duplicates(positions[by_position], np.concatenate([part.kept for part in parts])[by_position])


class _Search:
    """What is within a distance, ruled out by projections and decided exactly."""

    def __init__(self, screen: Screen, distance: float) -> None:
        self.screen, self.limit = screen, distance**2
        # Rounded as distances are, so that a pair that is just on it is within it.
        self.limit = float(np.rint(self.limit / screen.quantum) * screen.quantum)
        self.projected = min(PROJECTED, screen.vectors.dim // 3)
        self.basis = self._principal() if screen.vectors.dim >= LEAST_PROJECTED else None
        # How far rounding may move a projected vector, and so lengthen a squared distance.
        moved = (
            2
            * screen.vectors.dim
            * UNIT
            * float(np.sqrt(self.projected * screen.vectors.squared.max(initial=0.0)))
        )
        self.slack = 2 * screen.error + 4 * moved * (distance + moved)

    def bytes_needed(self, count: int) -> int:
        """Return the bytes that so many vectors take: those kept, and a tile of pairs with its mask."""
        dim = self.screen.vectors.dim if self.basis is None else self.projected
        return 4 * count * dim + 8 * min(count, BLOCK) * min(count, COLUMNS)

    def run(self, order: NDArray[np.int64], given: NDArray[np.int64]) -> Duplicates:
        """Go through positions in order; ``given`` are kept whatever happens."""
        kept = np.empty(len(given) + len(order), np.int64)
        kept[: len(given)], count = given, len(given)
        projected = torch.empty(len(kept), self.screen.vectors.dim if self.basis is None else self.projected)
        self._project_into(projected, 0, given)
        dropped, keepers = [], []
        for start in range(0, len(order), BLOCK):
            block = order[start : start + BLOCK]
            x = torch.empty(len(block), projected.shape[1])
            self._project_into(x, 0, block)
            row, other = self._near(block, x, kept[:count], projected[:count])
            keeper = np.full(len(block), -1, np.int64)
            keeper[row[::-1]] = kept[other[::-1]]  # the first of several
            alive = np.flatnonzero(keeper < 0)
            self._within(block, x, alive, keeper)
            new = np.flatnonzero(keeper < 0)
            kept[count : count + len(new)] = block[new]
            projected[count : count + len(new)] = x[torch.from_numpy(new)]
            count += len(new)
            lost = np.flatnonzero(keeper >= 0)
            dropped.append(block[lost])
            keepers.append(keeper[lost])
        positions = np.concatenate([np.empty(0, np.int64), *dropped])
        by_position = np.argsort(positions)
        return Duplicates(
            positions[by_position], np.concatenate([np.empty(0, np.int64), *keepers])[by_position]
        )

    def _within(
        self, block: NDArray[np.int64], x: Tensor, alive: NDArray[np.int64], keeper: NDArray[np.int64]
    ) -> None:
        """Go through a block in order; note for each row the earlier kept row of it that is near."""
        part = x[torch.from_numpy(alive)]
        row, other = self._near(block[alive], part, block[alive], part)
        earlier = other < row
        for a, b in zip(alive[row[earlier]], alive[other[earlier]], strict=True):
            if keeper[a] < 0 and keeper[b] < 0:
                keeper[a] = block[b]

    def _near(
        self, a: NDArray[np.int64], x: Tensor, b: NDArray[np.int64], y: Tensor
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs (number in a, number in b) within the distance, by a and then b."""
        rows, others = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        own = (x * x).sum(dim=1)
        limits = (self.limit + self.slack - own)[:, None]
        for start in range(0, len(b), COLUMNS):
            part = y[start : start + COLUMNS]
            tile = rough(x, part * -2, (part * part).sum(dim=1))
            row, other = (found.numpy() for found in torch.nonzero(tile <= limits, as_tuple=True))
            near = self.screen.within(a[row], b[start + other], self.limit)
            rows.append(row[near])
            others.append(start + other[near])
        row, other = np.concatenate(rows), np.concatenate(others)
        order = np.lexsort((other, row))
        return row[order], other[order]

    def _project_into(self, out: Tensor, start: int, positions: NDArray[np.int64]) -> None:
        for first in range(0, len(positions), BLOCK):
            x = self.screen.rows(positions[first : first + BLOCK])
            out[start + first : start + first + len(x)] = x if self.basis is None else x @ self.basis

    def _principal(self) -> Tensor:
        """Return the directions in which the vectors differ most, orthonormal [D, d]."""
        vectors = self.screen.vectors
        some = np.unique(np.linspace(0, max(0, len(vectors) - 1), 4096).astype(np.int64))
        x = vectors.exact(some)
        x -= x.mean(axis=0)
        _, directions = np.linalg.eigh(x.T @ x)
        return torch.from_numpy(np.ascontiguousarray(directions[:, -self.projected :])).float()
