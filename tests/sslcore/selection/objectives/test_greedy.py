"""How objectives combine and constraints bind: plain loops, numbers worked by hand, properties."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection import select
from sslcore.selection.constraints import Cost, Quota, Sequences, Threshold
from sslcore.selection.objectives import Diversity, Similarity, Weights


def draw(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("strengths", [(1.0, 1.0), (2.0, 0.5), (1.0, -1.0), (0.0, 1.0)])
def test_the_largest_product_of_powers_wins(strengths: tuple[float, float]) -> None:
    x, w = draw(40, 3), np.random.default_rng(1).uniform(0.1, 5, 40)
    got = select(x, 15, objectives=[Diversity(strengths[0]), Weights(w, strengths[1])], labelled=[4])
    picks = [4]
    for _ in range(15):
        left = [row for row in range(40) if row not in picks]
        distance = {row: min(math.dist(x[row], x[other]) for other in picks) for row in range(40)}
        far, heavy = max(distance.values()), max(np.delete(w, 4))
        picks.append(
            max(left, key=lambda r: (distance[r] / far) ** strengths[0] * (w[r] / heavy) ** strengths[1])
        )
    assert got.indices.tolist() == picks[1:]


def test_multiplying_an_objective_by_a_number_changes_nothing() -> None:
    x, w = draw(50, 3), np.random.default_rng(1).uniform(0.1, 1, 50)
    one, two = (select(x, 20, objectives=[Diversity(), Weights(w * c)], labelled=[0]) for c in (1, 512))
    assert one.indices.tolist() == two.indices.tolist()


def test_columns_reasons_and_gains_name_every_objective() -> None:
    line = np.array([[0.0], [2.0], [4.0]])
    objectives = [
        Diversity(),
        Weights([1, 2, 4], 0.5, name="sharpness"),
        Weights([1, 1, 2], name="sharpness"),
    ]
    got = select(line, 1, objectives=objectives, labelled=[0], names=["a", "b", "c"])
    assert list(got.columns) == ["diversity", "sharpness", "sharpness_2"]
    assert [float(column[0]) for column in got.columns.values()] == [4.0, 4.0, 2.0]
    assert got.reasons == (
        "diversity: 4.00 from the nearest chosen or labelled, a; sharpness (strength 0.5): sharpness 4;"
        " sharpness_2: sharpness 2",
    )
    assert got.gains is not None
    assert got.gains[0] == pytest.approx(1.0)


def test_a_prefix_is_the_smaller_selection_and_the_order_of_rows_does_not_matter() -> None:
    x, w = draw(60, 3), np.random.default_rng(1).uniform(0.1, 1, 60)
    ids = [f"{row:02d}" for row in range(60)]
    whole = select(x, 20, objectives=[Diversity(), Weights(w)], ids=ids)
    part = select(x, 8, objectives=[Diversity(), Weights(w)], ids=ids)
    assert part.extend(12).sample_ids == whole.sample_ids
    turned = select(x[::-1], 20, objectives=[Diversity(), Weights(w[::-1])], ids=ids[::-1])
    assert turned.sample_ids == whole.sample_ids


def test_thresholds_are_applied_first() -> None:
    numbers = [1.0, 2.0, 3.0, 4.0]
    x = draw(4, 2)
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"at_least": 2.0}, [1, 2, 3]),
        ({"above": 2.0}, [2, 3]),
        ({"at_most": 2.0, "above": 1.0}, [1]),
        ({"below": 2.0}, [0]),
    ]
    for limits, kept in cases:
        got = select(x, 4, constraints=[Threshold(numbers, **limits)])
        assert sorted(got.indices.tolist()) == kept
        assert got.stopped == "'threshold' allows no further pick"


def test_quotas_hold_for_all_or_by_name_and_spare_what_has_no_value() -> None:
    cameras = ["a"] * 5 + ["b"] * 5 + [None] * 2
    x = draw(12, 2)
    cases: list[tuple[Any, list[int]]] = [(2, [2, 2, 2]), ({"a": 1}, [1, 5, 2]), ({"b": 0}, [5, 0, 2])]
    for at_most, counts in cases:
        got = select(x, 12, objectives=[Diversity()], constraints=[Quota(cameras, at_most)])
        picked = [cameras[row] for row in got.indices]
        assert [picked.count(each) for each in ("a", "b", None)] == counts


def test_a_budget_of_costs_takes_what_still_fits() -> None:
    line, minutes = np.array([[0.0], [9.0], [5.0], [3.0]]), [1.0, 4.0, 3.0, 2.0]
    got = select(line, 4, objectives=[Similarity(rows=[1])], constraints=[Cost(minutes, at_most=6.0)])
    assert got.indices.tolist() == [1, 3]  # 4, then 3 is too much and 2 fits
    assert got.stopped == "'cost' allows no further pick"
    tenths = select(draw(10, 1), 10, objectives=[Diversity()], constraints=[Cost([0.1] * 10, at_most=1.0)])
    assert len(tenths.indices) == 10


def test_sequences_are_whole_in_order_and_within_other_limits() -> None:
    videos = ["v"] * 5 + ["w"] * 4 + [None]
    frames = [4, 3, 2, 1, 0, 0, 1, 2, 3, None]
    weight = [1.0] * 5 + [5, 5, 9, 9] + [2.0]
    x = draw(10, 2)
    runs = Sequences(videos, frames, length=2)
    got = select(x, 6, objectives=[Weights(weight)], constraints=[runs])
    assert got.indices.tolist() == [
        7,
        8,
        5,
        6,
        9,
        0,
    ]  # frames 2-3 and 0-1 of w, the image, the odd frame of v
    limited = select(x, 10, objectives=[Weights(weight)], constraints=[runs, Quota(videos, 3)])
    assert limited.indices.tolist() == [7, 8, 9, 0, 2, 1]
    short = select(x, 1, objectives=[Weights([1.0] * 10)], constraints=[Sequences(["v"] * 10, range(10), 5)])
    assert short.indices.tolist() == []
    assert short.stopped == "no whole sequence fits into the 1 picks that are left"


def test_constraints_alone_cover_the_pool() -> None:
    x = draw(40, 3)
    got = select(x, 10, constraints=[Threshold(np.arange(40.0), below=30)])
    assert list(got.columns) == ["coverage"]
    assert max(got.indices) < 30
    both = select(x, 10, constraints=[Threshold(np.arange(40.0), below=30)], labels=[0, 1] + [-1] * 38)
    assert list(both.columns) == ["coverage", "uncertainty"]


def test_what_cannot_be_is_refused() -> None:
    x = draw(4, 2)
    with pytest.raises(UserError, match="'quota' names 'z', which no sample has: a, b"):
        select(x, 1, constraints=[Quota(["a", "b", "a", "b"], {"z": 1})])
    with pytest.raises(UserError, match="'threshold' must give one of at_least, at_most, above, below"):
        select(x, 1, constraints=[Threshold([1.0] * 4)])
    with pytest.raises(UserError, match="'cost' must be >= 0, got -1"):
        select(x, 1, constraints=[Cost([-1.0, 1, 1, 1], at_most=2)])
    with pytest.raises(UserError, match="strategy 'margin' heeds no constraints"):
        select(x, 1, strategy="margin", probs=[[0.5, 0.5]] * 4, constraints=[Threshold([1.0] * 4, below=2)])


def test_a_quota_may_name_what_is_labelled_already() -> None:
    x, values = draw(6, 2), ["a", "a", "b", "b", "b", "b"]
    got = select(
        x, 4, labelled=[0, 1], objectives=[Diversity()], constraints=[Quota(values, {"a": 1, "b": 2})]
    )
    assert len(got.indices) == 2
    with pytest.raises(UserError, match="'quota' names 'a', but no sample has a value"):
        select(x, 1, constraints=[Quota([None] * 6, {"a": 1})])
    with pytest.raises(UserError, match="the limit of 'quota' must be a number, got nan"):
        select(x, 1, constraints=[Quota(values, math.nan)])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="at_least of 'threshold' must be a number, got nan"):
        select(x, 1, constraints=[Threshold(np.arange(6.0), at_least=math.nan)])
    with pytest.raises(UserError, match="length must be a whole number, got 2.5"):
        select(x, 1, constraints=[Sequences(values, range(6), 2.5)])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="each frame of video 'a' must have a number, got None"):
        select(x, 1, constraints=[Sequences(values, [None] * 6)])


def test_why_it_stopped_belongs_to_each_selection() -> None:
    x = draw(10, 1)
    objectives, runs = [Weights([1.0] * 10)], [Sequences(["v"] * 10, range(10), 5)]
    short = select(x, 1, objectives=objectives, constraints=runs)
    longer = short.extend(5)
    assert short.stopped == "no whole sequence fits into the 1 picks that are left"
    assert (longer.stopped, len(longer.indices)) == ("", 5)
    line = select(np.array([[0.0], [1.0], [5.0]]), 1, objectives=[Diversity(least_distance=3)])
    assert line.extend(2).stopped == "'diversity' allows no further pick"
    assert line.extend(1).stopped == line.stopped == ""


def test_sequences_go_on_from_what_was_asked_for() -> None:
    x, videos = draw(8, 1), ["v"] * 5 + ["w"] * 3
    rules = [Sequences(videos, [0, 1, 2, 3, 4, 0, 1, 2], 5)]
    objectives = [Weights([5.0] * 5 + [1.0] * 3)]
    assert select(x, 8, objectives=objectives, constraints=rules).indices.tolist() == list(range(8))
    first = select(x, 3, objectives=objectives, constraints=rules)
    assert first.indices.tolist() == [5, 6, 7]  # the run of five does not fit: no prefix of the other
    whole = first.extend(5)
    assert first.extend(2).indices.tolist() == [5, 6, 7]
    assert whole.indices.tolist() == first.extend(5).indices.tolist() == [5, 6, 7, 0, 1, 2, 3, 4]
    assert whole.provenance["steps"] == [3, 5]
