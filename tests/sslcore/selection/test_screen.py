"""Distances at the ends of what numbers can hold."""

import numpy as np
import pytest

from sslcore.selection import select


@pytest.mark.parametrize("strategy", ["kcenter", "kmeans", "typiclust", "margin"])
def test_very_short_vectors_divide_by_nothing(strategy: str) -> None:
    x = 1e-160 * np.random.default_rng(0).normal(size=(30, 4))
    got = select(x, 5, strategy=strategy, labels=[0, 1] + [-1] * 28)
    assert len(set(got.indices.tolist())) == 5


@pytest.mark.parametrize("labelled", [[], [2]])
def test_scores_of_zero_come_in_order_of_the_ids(labelled: list[int]) -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    got = select(x, 6, strategy="coral", scores={"s": np.zeros(30)}, labelled=labelled)
    assert got.indices.tolist() == [row for row in range(8) if row not in labelled][:6]
