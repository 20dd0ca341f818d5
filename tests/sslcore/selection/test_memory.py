"""The memory that strategies say they need, against what they take."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection import select
from sslcore.selection.objectives import (
    Balance,
    Covering,
    Diversity,
    Similarity,
    Typicality,
    Uncertainty,
    Weights,
)
from sslcore.selection.pool import Pool
from sslcore.selection.strategies import PICKERS
from sslcore.selection.vectors import Vectors

ASKING = sorted(name for name, each in PICKERS.items() if each.needs & {"predictions", "models", "labels"})
K = 3


def large(num: int, dim: int, *, probs: bool = False) -> Pool:
    rng = np.random.default_rng(0)
    labels = np.full(num, -1)
    labels[:100] = rng.integers(0, 5, 100)
    given = None
    if probs:
        given = rng.random((3, num, 5))
        given /= given.sum(axis=2, keepdims=True)
    vectors = Vectors(rng.normal(size=(num, dim)).astype(np.float32))
    _ = vectors.squared
    return Pool(
        vectors,
        np.arange(100, num),
        np.arange(100),
        labels=labels,
        classes=tuple("abcde"),
        probs=given,
    )


def peak(name: str, pool: Pool) -> int:
    """Return what NumPy takes at most; what PyTorch takes is not seen, but the head is NumPy's."""
    strategy = PICKERS[name]
    tracemalloc.start()
    try:
        if strategy.begin is not None:
            strategy.begin(pool, seed=0).take(K)
        else:
            assert strategy.pick is not None
            strategy.pick(pool, K, seed=0)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("name", [*ASKING, "auto", "uherding", "stratified"])
def test_a_strategy_that_asks_a_model_stays_within_its_estimate(name: str, probs: bool) -> None:
    num, dim = (40_000, 64) if name in ("auto", "uherding") else (150_000, 128)
    num, dim = (60_000, 64) if name == "bait" else (num, dim)
    if name == "stratified" and not probs:
        pytest.skip("no class of a candidate is known")
    pool = large(num, dim, probs=probs)
    assert peak(name, pool) <= PICKERS[name].estimate(pool, K)


@pytest.mark.parametrize("name", ["margin", "entropy", "bald", "alfamix", "dropquery", "cluster_margin"])
def test_fitting_a_head_copies_no_more_than_blocks_of_the_vectors(name: str) -> None:
    pool = large(150_000, 128)
    whole = 8 * len(pool) * pool.vectors.dim
    assert peak(name, pool) < 0.9 * whole


@pytest.mark.parametrize("name", ["margin", "entropy", "least_confidence", "bald", "committee", "batchbald"])
def test_a_limit_below_what_the_head_takes_is_refused(name: str) -> None:
    vectors, labels = np.random.default_rng(0).normal(size=(500, 8)), [0, 1] * 5 + [-1] * 490
    with pytest.raises(
        UserError, match=f"strategy '{name}' on 490 samples needs about .* memory allows 1 MB"
    ):
        select(vectors, 3, strategy=name, labels=labels, memory="1MB")


def with_plan(objectives: list[Any], pool: Pool) -> Pool:
    return Pool(pool.vectors, pool.candidates, pool.labelled, labels=pool.labels, objectives=objectives)


def numbers(pool: Pool) -> NDArray[np.float64]:
    return np.ones(len(pool))


def test_a_plan_without_float64_copies_counts_none() -> None:
    pool = large(200_000, 128)
    plan = with_plan([Diversity(), Weights(numbers(pool))], pool)
    needed = PICKERS["objectives"].estimate(plan, K)
    assert peak("objectives", plan) <= needed < 16 * len(pool) * pool.vectors.dim


@pytest.mark.parametrize("objective", [Covering(), Uncertainty(), Typicality(), Diversity()])
def test_a_plan_stays_within_its_estimate(objective: Any) -> None:
    pool = large(4_000 if isinstance(objective, Typicality) else 60_000, 64)
    plan = with_plan([objective], pool)
    assert peak("objectives", plan) <= PICKERS["objectives"].estimate(plan, K)


@pytest.mark.parametrize(
    "objective",
    [
        Balance([[1.0], [0.5, 0.5]] * 15),
        Uncertainty([[1.0], [0.5, 0.5]] * 15),
        Similarity(rows=3),  # type: ignore[arg-type]
    ],
)
def test_what_has_no_shape_is_left_to_the_objective(objective: Any) -> None:
    pool = with_plan([objective], large(120, 2))
    assert PICKERS["objectives"].estimate(pool, K) > 0
