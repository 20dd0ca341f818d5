"""Each objective alone, against plain loops or numbers worked by hand."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection import select
from sslcore.selection.constraints import Cost, Quota, Sequences, Threshold
from sslcore.selection.objectives import (
    Balance,
    Covering,
    Diversity,
    RandomWeights,
    Similarity,
    Typicality,
    Uncertainty,
    Weights,
)


def draw(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def test_diversity_alone_is_kcenter() -> None:
    x = draw(60, 4)
    got = select(x, 20, objectives=[Diversity()], labelled=[7])
    expected = select(x, 20, strategy="kcenter", labelled=[7])
    assert got.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(got.columns["diversity"], expected.columns["distance"])
    assert "from the nearest chosen or labelled, sample 7" in got.reasons[0]


def test_a_least_distance_ends_the_selection() -> None:
    line = np.array([[0.0], [1.0], [1.5], [4.0]])
    got = select(line, 3, objectives=[Diversity(least_distance=1.2)], labelled=[0])
    assert got.indices.tolist() == [3, 2]
    assert got.stopped == "'diversity' allows no further pick"
    assert got.extend(1).indices.tolist() == [3, 2]


def coverage_in_loops(x: NDArray[np.float64], k: int, labelled: list[int], width: float) -> list[int]:
    def alike(i: int, j: int) -> float:
        return math.exp(-(math.dist(x[i], x[j]) ** 2) / width**2)

    pool = [i for i in range(len(x)) if i not in labelled]
    picks: list[int] = []
    for _ in range(k):
        chosen = [*labelled, *picks]

        def gain(u: int, chosen: list[int] = chosen) -> float:
            return math.fsum(
                max(0.0, alike(i, u) - max((alike(i, j) for j in chosen), default=0.0)) for i in pool
            )

        picks.append(
            max((i for i in pool if i not in picks), key=lambda u: round(gain(u) / len(pool) * 2**20))
        )
    return picks


@pytest.mark.parametrize("labelled", [[], [2, 30]])
def test_coverage_equals_plain_loops(labelled: list[int]) -> None:
    x = draw(40, 3, seed=len(labelled))
    width = 0.8 * math.sqrt((x**2).sum(axis=1).mean())
    got = select(x, 10, objectives=[Covering(width=0.8)], labelled=np.array(labelled, int))
    assert got.indices.tolist() == coverage_in_loops(x, 10, labelled, width)


def test_typicality_equals_plain_loops_and_counts_labelled_neighbours() -> None:
    x = draw(30, 3)
    got = select(x, 25, objectives=[Typicality(neighbours=4)], labelled=[0, 1, 2, 3, 4])
    typical = []
    for row in range(30):
        distances = sorted(math.dist(x[row], x[other]) for other in range(30) if other != row)
        typical.append(4 / math.fsum(distances[:4]))
    assert got.indices.tolist() == sorted(range(5, 30), key=lambda row: -typical[row])
    np.testing.assert_allclose(got.columns["typicality"], [typical[row] for row in got.indices])
    kept = select(x, 25, objectives=[Typicality(neighbours=4, least=1.0)], labelled=[0, 1, 2, 3, 4])
    assert len(kept.indices) == sum(typical[row] >= 1 for row in range(5, 30))


def test_similarity_to_and_away_from_samples() -> None:
    line = np.array([[0.0], [3.0], [1.0], [2.0]])
    assert select(line, 3, objectives=[Similarity(rows=[1])], labelled=[1]).indices.tolist() == [3, 2, 0]
    away = select(line, 3, objectives=[Similarity(vectors=np.array([[3.0]]), away=True)], labelled=[1])
    assert away.indices.tolist() == [0, 2, 3]
    # The mean squared length is 3.5; row 3 is at distance 1.
    near = select(line, 1, objectives=[Similarity(rows=[1])], labelled=[1])
    assert near.columns["similarity"][0] == pytest.approx(math.exp(-1 / 3.5))


def test_weights_are_followed_both_ways_and_stop_at_their_sum() -> None:
    sharpness = [0.2, 0.9, 0.5, 0.7]
    x = draw(4, 2)
    weights = Weights(sharpness, name="sharpness")
    assert select(x, 4, objectives=[weights]).indices.tolist() == [1, 3, 2, 0]
    small = Weights("s", strength=-1)
    assert select(x, 4, objectives=[small], scores={"s": sharpness}).indices.tolist() == [0, 2, 3, 1]
    got = select(x, 4, objectives=[Weights(sharpness, largest_sum=1.5)])
    assert got.indices.tolist() == [1, 2]  # 0.9, then 0.7 is too much, 0.5 fits; 0.2 is too much again
    assert got.stopped == "'weights' allows no further pick"


def test_random_weights_depend_on_both_seeds() -> None:
    x = draw(50, 2)
    orders = {
        tuple(select(x, 10, objectives=[RandomWeights(seed=a)], seed=b).indices)
        for a in (0, 1)
        for b in (0, 1)
    }
    assert len(orders) == 4
    assert tuple(select(x, 10, objectives=[RandomWeights()]).indices) in orders


def test_uncertainty_of_given_probabilities_of_the_pools_and_of_a_fitted_head() -> None:
    x = draw(6, 2)
    probs = np.array([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3], [0.6, 0.4], [1.0, 0.0], [0.8, 0.2]])
    got = select(x, 6, objectives=[Uncertainty(probs)])
    assert got.indices.tolist() == [1, 3, 2, 5, 0, 4]
    assert got.reasons[0] == "uncertainty: the model is unsure (margin 1.00)"
    assert select(x, 6, objectives=[Uncertainty()], probs=probs).indices.tolist() == [1, 3, 2, 5, 0, 4]
    fitted = select(x, 4, objectives=[Uncertainty()], labels=[0, 1] + [-1] * 4)
    assert (
        fitted.indices.tolist() == select(x, 4, strategy="margin", labels=[0, 1] + [-1] * 4).indices.tolist()
    )


def test_balance_worked_by_hand() -> None:
    colours = ["red", "red", "red", "red", "blue", "blue", None]
    x = draw(7, 2)
    # Labelled: red. red has 1, blue 0: blue first, then the lowest row of both; no value is wanted last.
    got = select(x, 6, objectives=[Balance(colours)], labelled=[0])
    assert got.indices.tolist() == [4, 1, 5, 2, 3, 6]
    assert got.reasons[0] == "balance: 'blue' is 0 % so far, 50 % wanted"


def test_balance_reaches_its_target() -> None:
    rng = np.random.default_rng(0)
    colours = np.array(["a", "b", "c"])[rng.choice(3, 300, p=[0.8, 0.15, 0.05])]
    cases: list[tuple[Any, list[float]]] = [
        ("uniform", [1 / 3] * 3),
        ("input", [float((colours == each).mean()) for each in "abc"]),
        ({"a": 1, "c": 3}, [0.25, 0.0, 0.75]),
    ]
    for target, shares in cases:
        num = 12 if isinstance(target, dict) else 30
        got = select(draw(300, 2), num, objectives=[Balance(colours, target)])
        counts = [(colours[got.indices] == each).sum() for each in "abc"]
        np.testing.assert_allclose(counts, [num * each for each in shares], atol=1)


def test_balance_of_predictions_weighs_by_probability() -> None:
    probs = [[1.0, 0.0], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    got = select(draw(4, 2), 2, objectives=[Balance(probs, names=["cat", "dog"])], labelled=[0])
    assert got.indices.tolist() == [2, 3]  # most dog; then 1.2 cats to 0.8 dogs, so dog again


@pytest.mark.parametrize(
    ("objective", "error", "message"),
    [
        (Weights([1, 2]), UserError, "'weights' must be one for each of 3 embeddings, got 2"),
        (Weights("x"), UserError, "'weights' names the scores 'x', but scores= holds none"),
        (Weights([1, -2, 3]), UserError, "'weights' must be >= 0 to be weights, got -2"),
        (Weights([1, math.nan, 3]), UserError, "'weights' must be finite numbers; 1 of 3"),
        (Weights(["a", "b", "c"]), UserError, "'weights' must be numbers; for names use balance"),
        (Diversity(strength=math.nan), ConfigError, "strength must be a finite number"),
        (Similarity(), UserError, "similarity needs at least one given sample"),
        (Similarity(rows=[3]), UserError, "similarity rows must be from 0 to 2"),
        (Balance(list("abc"), {"d": 1}), UserError, "names 'd', which no sample has: a, b, c"),
        (Balance(list("abc"), "even"), UserError, "must be uniform, input or shares, got 'even'"),
        (Uncertainty(np.ones((3, 2))), UserError, "do not sum to 1"),
        (Uncertainty(measure="gini"), ConfigError, "the measure of uncertainty must be one of"),
        (Covering(width=0), ConfigError, "width must be > 0"),
        (Typicality(neighbours=0), ConfigError, "neighbours must be >= 1"),
    ],
)
def test_what_does_not_fit_is_refused(objective: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        select(draw(3, 2), 1, objectives=[objective])


NOTHINGS = [float("nan"), None, pd.NA]


def test_a_list_with_missing_values_has_no_group_of_that_name() -> None:
    values, x = ["a"] * 3 + ["b"] * 3 + NOTHINGS, draw(9, 2)
    got = select(x, 9, objectives=[Diversity()], constraints=[Quota(values, 1)])
    assert len(got.indices) == 5  # one of a, one of b, and the three that have none
    balanced = select(x, 9, objectives=[Balance(values)])
    assert set(balanced.indices[-3:].tolist()) == {6, 7, 8}
    assert balanced.reasons[0].startswith("balance: 'a' is 0 % so far, 50 % wanted")
    frames = [0, 1, 2, 0, 1, 2, *NOTHINGS]
    runs = select(x, 6, objectives=[Diversity()], constraints=[Sequences(values, frames, length=3)])
    assert all(
        "in a sequence of 3" in reason or row > 5
        for row, reason in zip(runs.indices, runs.reasons, strict=True)
    )


def test_only_candidates_need_a_number() -> None:
    x, numbers = draw(4, 2), [None, 1.0, 3.0, 2.0]
    probs = np.array([[np.nan, np.nan], [0.9, 0.1], [0.5, 0.5], [0.8, 0.2]])
    for objective in (Weights(numbers), Uncertainty(probs)):
        assert select(x, 3, labelled=[0], objectives=[objective]).indices[0] == 2
    for rule in (Threshold(numbers, above=1.5), Cost(numbers, at_most=5)):
        got = select(x, 3, labelled=[0], objectives=[Diversity()], constraints=[rule])
        assert sorted(got.indices.tolist()) == [2, 3]
    with pytest.raises(UserError, match="1 of 4 that can be picked are missing"):
        select(x, 3, objectives=[Weights(numbers)])


def test_what_decides_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    select(draw(4, 2), 2, labelled=[0], objectives=[Balance(["a", None, None, None])])
    assert "'balance' decides nothing: all 3 samples that can be picked have the value 'none'" in caplog.text


def test_a_name_may_be_a_number_and_a_mask_names_samples() -> None:
    x = draw(6, 2)
    got = select(x, 4, objectives=[Balance([0, 0, 0, 1, 1, 1], {0: 1, 1: 3})])
    assert sum(row >= 3 for row in got.indices) == 3
    limited = select(x, 4, objectives=[Diversity()], constraints=[Quota([0, 0, 0, 1, 1, 1], {0: 1})])
    assert sum(row < 3 for row in limited.indices) == 1
    mask = np.arange(6) == 2
    assert select(x, 1, objectives=[Similarity(rows=mask)]).indices.tolist() == [2]


@pytest.mark.parametrize("width", [1e-6, 1e6])
def test_the_narrowest_and_widest_kernels_still_pick(width: float) -> None:
    assert len(select(draw(9, 2), 3, objectives=[Covering(width=width)]).indices) == 3


EIGHT = draw(3, 8)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Balance([[2.0, 3.0]] * 3), "hold values outside 0 to 1: give probabilities, not logits"),
        (Balance([[0.5, math.nan]] * 3), "hold NaN"),
        (Balance(list("abc"), {"a": math.nan}), "the target of 'balance' must be a number, got nan"),
        (Balance(list("abc"), {"a": math.inf}), "must be finite shares >= 0"),
        (Balance([None] * 3), "cannot balance: no sample has a value"),
        (Balance([[0.5, 0.5], [1.0], [1.0]]), "must be numbers, as many in each row"),
        (Similarity(vectors=np.ones((4, 4))), r"similarity vectors must be \[K, 8\], got \[4, 4\]"),
        (Similarity(vectors=np.full((1, 8), math.nan)), "similarity vectors must be finite"),
        (Similarity(rows=np.array([1.5])), "must be row numbers or a mask"),
        (Covering(width=1e-200), "width must be from 1e-06 to 1e.06, got 1e-200"),
        (Covering(width=1e200), "width must be from 1e-06"),
        (Covering(width=math.nan), "must be a number, got nan"),
        (Weights(np.ones((3, 2))), r"'weights' must be one number for each row, got \[3, 2\]"),
        (Balance(3), "'balance' must be a value by row, got 3"),
        (Weights(None), "'weights' must be a value by row, got None"),  # type: ignore[arg-type]
        (Similarity(rows=3), "rows of 'similarity' must be a list, got 3"),  # type: ignore[arg-type]
        (RandomWeights(seed=-1), "the seed of 'random' must be >= 0, got -1"),
        (Uncertainty(measure=None), "the measure of uncertainty must be one of"),  # type: ignore[arg-type]
        (Weights([1, 2, 3], largest_sum=math.nan), "the largest sum of 'weights' must be a number"),
        (Diversity(least_distance=math.nan), "the least distance of 'diversity' must be a number"),
        (Typicality(least=math.nan), "the least of 'typicality' must be a number"),
        (Uncertainty([["a", "b"]] * 3), "'uncertainty' must be numbers"),
    ],
)
def test_what_was_taken_silently_is_refused(objective: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        select(EIGHT, 1, objectives=[objective])
    assert "\n" not in str(caught.value)
