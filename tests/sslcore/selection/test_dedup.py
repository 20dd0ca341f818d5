"""Near-duplicates against plain loops, and by groups."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection import dedup as dedup_module
from sslcore.selection import duplicate_search, select
from sslcore.selection.dedup import Dedup, find_duplicates


def in_loops(x: NDArray[Any], distance: float, labelled: list[int]) -> dict[int, int]:
    """Return the kept row for each row that is dropped: in order, the first within the distance."""
    kept, dropped = list(labelled), {}
    for row in range(len(x)):
        if row not in labelled:
            near = [other for other in kept if math.dist(x[row], x[other]) <= distance]
            if near:
                dropped[row] = near[0]
            else:
                kept.append(row)
    return dropped


@pytest.mark.parametrize("dim", [2, 80])
@pytest.mark.parametrize("labelled", [[], [3, 50, 51]])
@pytest.mark.parametrize("group_size", [1000, 6])
def test_exact_equals_plain_loops(
    dim: int, labelled: list[int], group_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicate_search, "MOST_BLOCK", 32)  # 80 dimensions are projected
    monkeypatch.setattr(duplicate_search, "MOST_PAIRS", 100)  # some blocks are halved
    monkeypatch.setattr(dedup_module, "EXACT_GROUP_SIZE", group_size)
    rng = np.random.default_rng(dim)
    x = np.round(rng.normal(size=(40, dim)), 1)[rng.integers(0, 40, 150)]
    x += 0.02 * rng.normal(size=x.shape) * (rng.random((150, 1)) < 0.5)
    run = select(x, 1, strategy="random", labelled=labelled).run
    assert run is not None
    got = find_duplicates(run.pool, Dedup(0.15), seed=0)
    expected = in_loops(x, 0.15, labelled)
    assert dict(zip(got.positions.tolist(), got.kept.tolist(), strict=True)) == expected
    assert 20 < len(expected) < 140


@pytest.mark.parametrize("distance", [0.1, 0.5, 1.0, 1.3])
def test_nothing_is_missed_between_groups(distance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(400, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    run = select(x, 1, strategy="random").run
    assert run is not None
    monkeypatch.setattr(dedup_module, "EXACT_GROUP_SIZE", 20)
    compared: list[float] = []
    reached = duplicate_search._Borders.reached

    def counted(self: Any, positions: Any, group: Any) -> Any:
        found = reached(self, positions, group)
        compared.append(float(found.float().mean()))
        return found

    monkeypatch.setattr(duplicate_search._Borders, "reached", counted)
    got = find_duplicates(run.pool, Dedup(distance), seed=0)
    assert dict(zip(got.positions.tolist(), got.kept.tolist(), strict=True)) == in_loops(x, distance, [])
    assert (compared[0] < 0.4) == (distance <= 0.5)  # the groups do rule out what they can
    grouped = find_duplicates(run.pool, Dedup(distance, "semdedup", num_groups=20), seed=0)
    assert len(grouped.positions) < len(got.positions)  # some near ones lie in different groups


def test_a_pair_just_on_the_distance_is_near() -> None:
    x = np.array([[0.0], [0.5], [0.75], [1.5]])
    assert sorted(select(x, 3, strategy="random", dedup=0.5).indices.tolist()) == [0, 2, 3]
    assert sorted(select(x, 2, strategy="random", dedup=0.75).indices.tolist()) == [0, 3]


def test_duplicates_are_never_picked_and_the_door_says_how_many() -> None:
    x = np.repeat(np.random.default_rng(0).normal(size=(30, 4)), 3, axis=0)
    for method in ("exact", "semdedup"):
        got = select(x, 30, strategy="kcenter", dedup={"min_distance": 0.0, "method": method})
        assert sorted(row // 3 for row in got.indices.tolist()) == list(range(30))
        assert got.plan["num_duplicates"] == 60
    with pytest.raises(UserError, match="30 samples that can be picked without 60 near-duplicates, got 31"):
        select(x, 31, strategy="kcenter", dedup=0.0)


def test_groups_keep_what_is_far_from_their_centre_and_miss_only_pairs_across_groups() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 6))
    x[100:] = x[:100] + 0.01 * rng.normal(size=(100, 6))
    run = select(x, 1, strategy="random").run
    assert run is not None
    exact = find_duplicates(run.pool, Dedup(0.1), seed=0)
    grouped = find_duplicates(run.pool, Dedup(0.1, "semdedup", num_groups=4), seed=0)
    assert len(exact.positions) == 100
    assert len(grouped.positions) >= 95
    for position, kept in zip(grouped.positions, grouped.kept, strict=True):
        assert math.dist(x[position], x[kept]) <= 0.1
        assert kept not in grouped.positions


def test_picks_do_not_depend_on_the_order_of_rows() -> None:
    x, order = (
        np.round(np.random.default_rng(2).normal(size=(80, 2)), 1),
        np.random.default_rng(3).permutation(80),
    )
    first = select(x, 20, strategy="kcenter", dedup=0.2, ids=np.arange(80))
    again = select(x[order], 20, strategy="kcenter", dedup=0.2, ids=order)
    assert first.sample_ids == again.sample_ids


def test_what_would_not_fit_is_refused_before_it_starts() -> None:
    x = np.random.default_rng(0).normal(size=(600, 80)).astype(np.float32)
    with pytest.raises(UserError, match="exact deduplication of 600 samples needs about 2.98 MB"):
        select(x, 5, strategy="random", dedup=0.1, memory="1MB")
    assert len(select(x, 5, strategy="random", dedup=0.1, memory="4MB").indices) == 5


def test_a_wrong_dedup_is_named() -> None:
    x = np.zeros((3, 2))
    with pytest.raises(ConfigError, match="min_distance must be >= 0, got -1"):
        select(x, 1, dedup=-1)
    with pytest.raises(ConfigError, match="method must be one of exact, semdedup, got 'fast'"):
        select(x, 1, dedup=Dedup(0.1, "fast"))  # type: ignore[arg-type]
    with pytest.raises(
        ConfigError, match="dedup has min_distance, and may have method and num_groups, got eps"
    ):
        select(x, 1, dedup={"eps": 0.1})
    with pytest.raises(ConfigError, match="num_groups must be >= 1, got 0"):
        select(x, 1, dedup=Dedup(0.1, "semdedup", 0))
