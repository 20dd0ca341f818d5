"""Near-duplicates out, before anything is picked: exact for any pool that fits, and by groups for large ones.

Exact: in the order of the ids, a candidate is dropped if it is at most ``min_distance`` from a labelled or
kept one (`duplicate_search`).

Groups: SemDeDup (Abbas et al. 2023, https://arxiv.org/abs/2303.09540). The same rule inside each k-means
group, of which the samples farthest from the centre are kept first; pairs across the border of two groups
are missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

import numpy as np

from sslcore.errors import ConfigError
from sslcore.selection.clusters import cluster
from sslcore.selection.duplicate_search import Duplicates, DuplicateSearch, bytes_needed
from sslcore.selection.given import check_whole
from sslcore.selection.memory import require_memory
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen

__all__ = ["Dedup", "Duplicates", "as_dedup", "find_duplicates"]

# Vectors of a group, and most groups of an exact search: a block is compared with all centres.
GROUP_SIZE, MOST_GROUPS = 1000, 1024
EXACT_GROUP_SIZE = 256
# Vectors per group that are enough to find the centres.
SAMPLE = 32


@dataclass(frozen=True)
class Dedup:
    """How to take out near-duplicates."""

    min_distance: float
    """Drop what is at most this far from what is kept; sqrt(2 - 2 cos) on vectors of unit length."""
    method: Literal["exact", "semdedup"] = "exact"
    """``exact``, or ``semdedup``: only within k-means groups."""
    num_groups: int | None = None
    """Groups of ``semdedup``; None is one for about 1,000 vectors."""


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
        wanted = Dedup(given)
    if wanted is not None:
        if isinstance(wanted.min_distance, bool) or not isinstance(wanted.min_distance, Real):
            raise ConfigError(
                f"dedup must be a distance, or have one as min_distance, got {wanted.min_distance!r}"
            )
        if not 0 <= wanted.min_distance < float("inf"):
            raise ConfigError(f"dedup: min_distance must be >= 0, got {wanted.min_distance}")
        if wanted.method not in ("exact", "semdedup"):
            raise ConfigError(f"dedup: method must be one of exact, semdedup, got '{wanted.method}'")
        if wanted.num_groups is not None:
            check_whole(wanted.num_groups, name="dedup: num_groups", least=1)
        wanted = replace(wanted, min_distance=float(wanted.min_distance))
    return wanted


def find_duplicates(pool: Pool, dedup: Dedup, *, seed: int) -> Duplicates:
    """Return the candidates that are near a labelled or kept one.

    Args:
        pool: Labelled vectors are always kept.
        dedup: How.
        seed: Seed of the groups; what an exact search finds does not depend on it.

    Raises:
        UserError: If what is kept would not fit in the pool's memory.
    """
    screen, everyone, exact = Screen(pool.vectors), pool.everyone, dedup.method == "exact"
    if exact:
        count = min(MOST_GROUPS, len(everyone) // EXACT_GROUP_SIZE)
    else:
        count = dedup.num_groups or len(everyone) // GROUP_SIZE
    rng = np.random.default_rng(seed)
    require_memory(
        bytes_needed(len(everyone), screen.vectors.dim, max(1, count)),
        pool.memory,
        what=f"{dedup.method} deduplication of {len(pool.candidates)} samples",
        instead="give memory= more, or deduplicate it in parts",
    )
    found = cluster(screen, everyone, max(1, count), rng=rng, sample=SAMPLE)
    search = DuplicateSearch(screen, dedup.min_distance, everyone, found, across=exact)
    search.keep(pool.labelled)
    order = pool.candidates
    if not exact:  # hard ones, far from the centre, are kept
        squared = found.squared[np.searchsorted(everyone, order)]
        order = order[np.lexsort((order, -squared))]
    return search.run(order)
