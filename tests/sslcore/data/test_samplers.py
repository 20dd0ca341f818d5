"""Orders that depend on seed and epoch only, are shared by ranks, and can be gone on with."""

from collections import Counter

import numpy as np
import pytest

from sslcore.data import BalancedSampler, EpochSampler
from sslcore.errors import UserError


def test_the_order_is_that_of_seed_and_epoch() -> None:
    sampler = EpochSampler(100, shuffle=True, seed=3)
    sampler.set_epoch(7)
    expected = np.random.default_rng(np.random.SeedSequence([3, 7])).permutation(100).tolist()
    assert list(sampler) == list(sampler) == expected


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 7])
def test_ranks_share_an_epoch_evenly(num_ranks: int) -> None:
    ranks = [
        EpochSampler(23, shuffle=True, seed=1, rank=rank, num_ranks=num_ranks) for rank in range(num_ranks)
    ]
    drawn = [list(each) for each in ranks]
    assert {len(each) for each in drawn} == {len(ranks[0])} == {23 // num_ranks}
    together = [index for step in zip(*drawn, strict=True) for index in step]
    assert together == list(EpochSampler(23, shuffle=True, seed=1))[: len(together)]


def test_padding_repeats_the_first_of_the_epoch() -> None:
    ranks = [EpochSampler(10, shuffle=False, rank=rank, num_ranks=4, uneven="pad") for rank in range(4)]
    assert [list(each) for each in ranks] == [[0, 4, 8], [1, 5, 9], [2, 6, 0], [3, 7, 1]]
    assert len(ranks[0]) == 3


def test_more_ranks_than_samples_can_be_padded() -> None:
    ranks = [EpochSampler(2, shuffle=False, rank=rank, num_ranks=5, uneven="pad") for rank in range(5)]
    assert [list(each) for each in ranks] == [[0], [1], [0], [1], [0]]


def test_dropped_samples_are_others_in_each_epoch() -> None:
    ranks = [EpochSampler(5, shuffle=True, rank=rank, num_ranks=2) for rank in range(2)]
    dropped = set()
    for epoch in range(40):
        for each in ranks:
            each.set_epoch(epoch)
        dropped |= set(range(5)) - {index for each in ranks for index in each}
    assert dropped == set(range(5))


@pytest.mark.parametrize("consumed", [0, 1, 13, 20])
def test_it_goes_on_exactly_after_what_was_consumed(consumed: int) -> None:
    first = EpochSampler(20, shuffle=True, seed=5)
    first.set_epoch(2)
    whole = list(first)
    first.advance(consumed)
    second = EpochSampler(20, shuffle=True, seed=5)
    second.load_state_dict(first.state_dict())
    second.set_epoch(2)
    assert list(second) == whole[consumed:]
    assert second.position == consumed
    assert list(second) == whole  # only the first pass begins there


def test_the_next_epoch_begins_at_its_start() -> None:
    sampler = EpochSampler(20, shuffle=True)
    sampler.load_state_dict({"seed": 0, "epoch": 2, "position": 7, "num_drawn": 20})
    sampler.set_epoch(3)
    assert (sampler.position, len(list(sampler))) == (0, 20)


def test_it_goes_on_with_another_number_of_ranks() -> None:
    two = [EpochSampler(24, shuffle=True, rank=rank, num_ranks=2) for rank in range(2)]
    seen = [index for each in two for index in list(each)[:3]]
    two[0].advance(3)
    assert two[0].position == 6
    three = [EpochSampler(24, shuffle=True, rank=rank, num_ranks=3) for rank in range(3)]
    for each in three:
        each.load_state_dict(two[0].state_dict())
    assert sorted(seen + [index for each in three for index in each]) == list(range(24))


def test_a_state_of_other_data_is_refused() -> None:
    state = EpochSampler(20, shuffle=True).state_dict()
    with pytest.raises(UserError, match="has 20 samples in an epoch, here there are 21"):
        EpochSampler(21, shuffle=True).load_state_dict(state)
    with pytest.raises(UserError, match="has 0 as seed, here there are 4"):
        EpochSampler(20, shuffle=True, seed=4).load_state_dict(state)


def test_a_rank_must_exist() -> None:
    with pytest.raises(ValueError, match=r"rank must be in 0 \.\. 1, got 2"):
        EpochSampler(5, shuffle=True, rank=2, num_ranks=2)


GROUPS = ["a"] * 50 + ["b"] * 5 + [None] * 10 + ["c"]


def test_groups_are_drawn_equally_whatever_their_size() -> None:
    sampler = BalancedSampler(GROUPS, num_samples=31, seed=2)
    drawn = list(sampler)
    assert Counter(GROUPS[index] for index in drawn) == {"a": 11, "b": 10, "c": 10}
    counts = Counter(drawn)
    assert max(counts[index] for index in range(50)) == 1
    assert [counts[index] for index in range(50, 55)] == [2] * 5
    assert len(BalancedSampler(GROUPS)) == 56  # as many as have a group


def test_weights_give_shares() -> None:
    sampler = BalancedSampler(GROUPS, weights={"a": 3, "b": 1}, num_samples=40)
    assert Counter(GROUPS[index] for index in sampler) == {"a": 30, "b": 10}


def test_a_large_group_gives_others_in_each_epoch_and_the_same_for_a_seed() -> None:
    sampler, again = (BalancedSampler(GROUPS, num_samples=30, seed=4) for _ in range(2))
    seen = set()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        again.set_epoch(epoch)
        drawn = list(sampler)
        assert drawn == list(again)
        seen |= set(drawn)
    assert seen == {index for index, group in enumerate(GROUPS) if group is not None}


def test_clusters_are_numbers_and_ranks_share_them() -> None:
    clusters = np.repeat([3, 1, 2], [6, 60, 30])
    ranks = [BalancedSampler(clusters, num_samples=90, rank=rank, num_ranks=2) for rank in range(2)]
    drawn = [index for each in ranks for index in each]
    assert Counter(clusters[drawn].tolist()) == {1: 30, 2: 30, 3: 30}


@pytest.mark.parametrize(
    ("groups", "weights", "message"),
    [
        ([None, None], None, "none of the samples has one"),
        (["a"], {"b": 1.0}, "weights name no group of the samples: b"),
        (["a"], {"a": 0.0}, "weights must be >= 0 and not all 0"),
        (["a", "b"], {"a": 1.0, "b": -1.0}, "weights must be >= 0"),
    ],
)
def test_groups_and_weights_that_cannot_be_are_refused(
    groups: list[str | None], weights: dict[str, float] | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        BalancedSampler(groups, weights=weights)
