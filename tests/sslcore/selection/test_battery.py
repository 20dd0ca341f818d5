"""What every strategy must keep, by discovery: a new file in strategies/ is tested here without a line."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection import STRATEGIES, Selection, select
from sslcore.selection.pool import NEEDS
from sslcore.selection.strategies import PICKERS

ALL = sorted(STRATEGIES)
GREEDY = sorted(name for name in ALL if PICKERS[name].greedy)


def unit_vectors(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def everything(n: int, labelled: list[int], seed: int = 0) -> dict[str, Any]:
    """Return what strategies may need, made of whole numbers so that ties are real."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 9, size=(3, n, 4)).astype(np.float64)
    labels = rng.integers(0, 4, size=n)
    known = np.full(n, -1)
    known[labelled] = labels[labelled]
    return {
        "labelled": labelled,
        "labels": known,
        "probs": weights / weights.sum(axis=2, keepdims=True),
        "scores": {"score": rng.integers(1, 5, size=n) / 4},
    }


def run(strategy: str, vectors: NDArray[Any], k: int, given: dict[str, Any], **more: Any) -> Selection:
    if "objectives" in PICKERS[strategy].needs:
        pytest.skip("a plan is tested with its objectives")
    return select(vectors, k, strategy=strategy, **{"seed": 4, **given, **more})


@pytest.mark.parametrize("strategy", ALL)
def test_picks_are_different_unlabelled_and_explained(strategy: str) -> None:
    got = run(strategy, unit_vectors(50, 6), 12, everything(50, [0, 13, 49]))
    assert len(set(got.indices.tolist())) == 12
    assert not set(got.indices.tolist()) & {0, 13, 49}
    assert len(got.reasons) == 12
    assert all("\n" not in reason and len(reason) > 5 for reason in got.reasons)
    assert all(len(column) == 12 for column in got.columns.values())
    assert got.gains is None or len(got.gains) == 12


@pytest.mark.parametrize("strategy", ALL)
def test_the_whole_pool_can_be_picked_to_its_last_row(strategy: str) -> None:
    got = run(strategy, unit_vectors(37, 3), 35, everything(37, [2, 3]))
    assert sorted(got.indices.tolist()) == [0, 1, *range(4, 37)]


@pytest.mark.parametrize("strategy", ALL)
def test_nothing_excluded_is_picked(strategy: str) -> None:
    got = run(strategy, unit_vectors(30, 3), 20, everything(30, [2, 3]), excluded=[0, 29, *range(10, 16)])
    assert sorted(got.indices.tolist()) == [1, *range(4, 10), *range(16, 29)]


@pytest.mark.parametrize("strategy", ALL)
def test_picks_do_not_depend_on_threads(strategy: str) -> None:
    vectors = unit_vectors(301, 40)
    vectors[150:300] = vectors[:150]  # copies: every choice between two of them is a tie
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(run(strategy, vectors, 30, everything(301, [1, 2, 299])).indices.tolist())
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


@pytest.mark.parametrize("strategy", ALL)
def test_picks_do_not_depend_on_the_order_of_rows(strategy: str) -> None:
    vectors, given = np.round(unit_vectors(90, 3), 1), everything(90, [5, 6])
    ids = [f"id{number:03d}" for number in range(90)]
    first = run(strategy, vectors, 25, given, ids=ids)
    order = np.random.default_rng(8).permutation(90)
    moved = {
        "labelled": [int(np.flatnonzero(order == row)[0]) for row in (5, 6)],
        "labels": given["labels"][order],
        "probs": given["probs"][:, order],
        "scores": {"score": given["scores"]["score"][order]},
    }
    again = run(strategy, vectors[order], 25, moved, ids=[ids[row] for row in order])
    assert first.sample_ids == again.sample_ids
    assert order[again.indices].tolist() == first.indices.tolist()
    assert order[again.nearest][np.argsort(order)].tolist() == first.nearest.tolist()


@pytest.mark.parametrize("strategy", GREEDY)
def test_a_prefix_is_the_smaller_selection_and_extending_is_going_on(strategy: str) -> None:
    vectors, given = unit_vectors(60, 4), everything(60, [3, 9])
    whole, part = (run(strategy, vectors, k, given) for k in (25, 10))
    assert part.indices.tolist() == whole.indices[:10].tolist()
    more = part.extend(15)
    assert more.indices.tolist() == whole.indices.tolist()
    assert more.reasons == whole.reasons
    assert part.extend(2).indices.tolist() == whole.indices[:12].tolist()


@pytest.mark.parametrize("strategy", ALL)
def test_extending_keeps_what_is_picked(strategy: str) -> None:
    part = run(strategy, unit_vectors(40, 4), 10, everything(40, [3]))
    whole = part.extend(29)
    assert whole.indices[:10].tolist() == part.indices.tolist()
    assert sorted(whole.indices.tolist()) == [row for row in range(40) if row != 3]
    with pytest.raises(UserError, match="k must be at most the 39 samples that can be picked, got 40"):
        part.extend(30)


@pytest.mark.parametrize("strategy", ALL)
def test_no_copy_is_picked_while_there_is_anything_else(strategy: str) -> None:
    different = unit_vectors(20, 5)
    vectors = np.concatenate([different, different, different[:7]])
    got = run(strategy, vectors, 18, everything(47, [0, 1]))
    assert sorted(row % 20 for row in got.indices) == list(range(2, 20))
    assert max(got.indices) < 20, "of copies the lowest id"
    rest = got.extend(27).indices[18:]
    assert sorted(rest.tolist()) == list(range(20, 47))


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("k", [30, 200])
def test_many_copies_of_picks_and_of_labelled_rows_come_last(strategy: str, k: int) -> None:
    rng = np.random.default_rng(1)
    what = np.concatenate([np.arange(300), np.arange(150)])[rng.permutation(450)]
    labelled = rng.choice(450, 20, replace=False).tolist()
    got = run(strategy, unit_vectors(300, 6)[what], k, everything(450, labelled))
    picked = what[got.indices].tolist()
    assert len(set(picked)) == k
    assert not set(picked) & set(what[labelled].tolist())


@pytest.mark.parametrize("strategy", ALL)
def test_nothing_but_copies_can_be_picked(strategy: str) -> None:
    vectors = np.concatenate([unit_vectors(4, 3)] * 3)
    got = run(strategy, vectors, 8, everything(12, [0, 1, 2, 3]))
    assert sorted(got.indices.tolist()) == list(range(4, 12))


@pytest.mark.parametrize("strategy", GREEDY)
def test_going_on_into_the_copies_is_asking_for_all(strategy: str) -> None:
    vectors, given = np.concatenate([unit_vectors(15, 4)] * 2), everything(30, [3])
    whole = run(strategy, vectors, 29, given)
    part = run(strategy, vectors, 10, given).extend(7).extend(12)
    assert part.indices.tolist() == whole.indices.tolist()
    assert part.reasons == whole.reasons


@pytest.mark.parametrize("strategy", ALL)
def test_what_is_missing_is_said(strategy: str) -> None:
    for need in PICKERS[strategy].needs:
        assert need in NEEDS
    if PICKERS[strategy].needs - {"objectives"}:
        with pytest.raises(UserError, match=f"strategy '{strategy}' needs "):
            select(
                unit_vectors(9, 2), 1, strategy=strategy, objectives=[] if PICKERS[strategy].takes else None
            )


@pytest.mark.parametrize("strategy", ALL)
def test_one_sample_can_be_picked_from_one(strategy: str) -> None:
    got = run(strategy, unit_vectors(2, 3), 1, everything(2, [1]))
    assert got.indices.tolist() == [0]


@pytest.mark.parametrize("strategy", ALL)
def test_a_limit_that_is_too_small_is_refused_before_it_starts(strategy: str) -> None:
    if PICKERS[strategy].estimate.__name__ == "_nothing":
        return
    with pytest.raises(UserError, match=rf"strategy '{strategy}' on 29 samples needs about .*memory allows"):
        run(strategy, unit_vectors(30, 3), 5, everything(30, [1]), memory=1000)
