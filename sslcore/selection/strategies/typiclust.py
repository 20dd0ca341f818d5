"""Strategy ``typiclust``: the most typical sample of each of many groups.

Source: Hacohen, Dekel & Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low
Budgets", ICML 2022, https://arxiv.org/abs/2202.02794, with the settings of its code: min(L + k, 500)
groups; typicality is 1 over the mean distance to the 20 nearest members of the group that are not
labelled or picked (to half of the group, where it is small); groups of at most 5 are left out as long as
there are others; groups with the fewest labels come first, of these the largest, one pick each in turn.
Differs: distances are not squared, as in the paper.

Shapes: n vectors, M members of a group, D dimensions.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.selection.clusters import cluster
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.screen import Screen, rough

__all__ = ["STRATEGY", "pick"]

MAX_GROUPS = 500
NEIGHBOURS = 20
SMALL_GROUP = 5


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick the most typical candidate of group after group.

    Args:
        pool: What to pick from; labelled rows are members of groups, and a reason to come later.
        k: How many, at most the candidates.
        seed: Seed of the groups.

    Returns:
        Picks with the columns ``typicality`` (1 / mean distance; inf among copies; NaN for the last member
        of a group) and ``cluster_size``.
    """
    screen = Screen(pool.vectors)
    everyone = pool.everyone
    num_groups = min(len(pool.labelled) + k, MAX_GROUPS)
    found = cluster(screen, everyone, num_groups, rng=np.random.default_rng(seed))
    is_labelled = np.isin(everyone, pool.labelled)
    sizes = np.bincount(found.group, minlength=len(found.centres))
    counts = np.bincount(found.group[is_labelled], minlength=len(found.centres))
    by_group = np.argsort(found.group, kind="stable")
    members = np.split(everyone[by_group], np.cumsum(sizes)[:-1])
    open_ = [np.setdiff1d(group, pool.labelled, assume_unique=True) for group in members]
    order = np.lexsort((np.arange(len(sizes)), -sizes, counts))
    turns = [order[sizes[order] > SMALL_GROUP], order[sizes[order] <= SMALL_GROUP]]
    picked: list[int] = []
    typicality, groups = [], []
    for turn in turns:
        while len(picked) < k and any(len(open_[group]) for group in turn):
            for group in turn:
                if len(open_[group]) and len(picked) < k:
                    row, value = _most_typical(screen, open_[group])
                    picked.append(row)
                    typicality.append(value)
                    groups.append(group)
                    open_[group] = open_[group][open_[group] != row]
    reasons = tuple(
        f"most typical of a group of {sizes[group]} samples, {counts[group] or 'none'} of them labelled"
        for group in groups
    )
    columns = {"typicality": np.array(typicality, np.float64), "cluster_size": sizes[groups].astype(np.int64)}
    return Picks(np.array(picked, np.int64), reasons, columns)


def _most_typical(screen: Screen, members: NDArray[np.int64]) -> tuple[int, float]:
    """Return the member least far on average from its nearest others, ties to the lowest, and 1 / that."""
    neighbours = min(NEIGHBOURS, len(members) // 2)
    if neighbours == 0:
        return int(members[0]), float("nan")
    low, high = _mean_distances(screen, members, neighbours)
    contenders = np.flatnonzero(low <= high.min())
    means = np.array([_exact_mean(screen, members, int(row), neighbours) for row in contenders])
    best = int(means.argmin())
    return int(members[contenders[best]]), float(1 / means[best]) if means[best] > 0 else float("inf")


def _mean_distances(
    screen: Screen, members: NDArray[np.int64], neighbours: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bounds of each member's mean distance to its nearest others [M]."""
    x, own = screen.rows(members), screen.lengths(members)
    twice, low, high = x * -2, [], []
    for start in range(0, len(members), 2048):
        tile = rough(x[start : start + 2048], twice, own) + own[start : start + 2048, None]
        tile[torch.arange(len(tile)), torch.arange(start, start + len(tile))] = torch.inf
        nearest = tile.topk(neighbours, dim=1, largest=False, sorted=False).values.double()
        low.append((nearest - screen.error).clamp(min=0).sqrt().mean(dim=1))
        high.append((nearest + screen.error).clamp(min=0).sqrt().mean(dim=1))
    # A mean of float64 roots is off by far less than this.
    return torch.cat(low).numpy() * (1 - 1e-12), torch.cat(high).numpy() * (1 + 1e-12)


def _exact_mean(screen: Screen, members: NDArray[np.int64], row: int, neighbours: int) -> float:
    squared = screen.exact_to(np.delete(members, row), screen.vectors.exact(members[row : row + 1])[0])
    return float(np.sqrt(np.sort(squared)[:neighbours]).sum() / neighbours)


def _estimate(pool: Pool, k: int) -> int:
    groups = min(len(pool.labelled) + k, MAX_GROUPS)
    largest = min(len(pool), 4 * len(pool) // groups + 1)  # groups differ in size
    return 100 * len(pool) + 12 * largest * pool.vectors.dim + 3 * 2048 * 4 * largest + 200_000_000


STRATEGY = Strategy(
    about="the most typical sample of each of many groups; good with the first labels"
    " (Hacohen et al. 2022, arxiv.org/abs/2202.02794)",
    pick=pick,
    estimate=_estimate,
)
