"""Scores of class probabilities: numbers worked by hand, plain loops, and what is refused."""

import math
import re

import numpy as np
import pytest
import torch

from sslcore.errors import UserError
from sslcore.selection.scorers import classification_scores


def test_numbers_worked_by_hand() -> None:
    got = classification_scores([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    # least confidence: (1 - .5) / (1 - 1/3) = .75; margin: 1 - (.5 - .3) = .8 and a draw is 1;
    # entropy in bits: .5 + .5211 + .4644 = 1.4855 over log2 3 = 1.5850.
    np.testing.assert_allclose(got["uncertainty_least_confidence"], [0.75, 0.0, 0.75])
    np.testing.assert_allclose(got["uncertainty_margin"], [0.8, 0.0, 1.0])
    np.testing.assert_allclose(got["uncertainty_entropy"], [0.937227, 0.0, 1 / math.log2(3)], rtol=1e-5)


def test_scores_equal_plain_loops() -> None:
    probs = np.random.default_rng(0).dirichlet(np.full(7, 0.3), size=50)
    got = classification_scores(probs)
    for row, p in enumerate(probs.tolist()):
        first, second = sorted(p, reverse=True)[:2]
        bits = -math.fsum(x * math.log2(x) for x in p if x > 0)
        assert got["uncertainty_least_confidence"][row] == pytest.approx((1 - first) * 7 / 6)
        assert got["uncertainty_margin"][row] == pytest.approx(1 - first + second)
        assert got["uncertainty_entropy"][row] == pytest.approx(bits / math.log2(7))


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_certain_is_0_and_all_alike_is_1(classes: int) -> None:
    one_hot = np.eye(classes)[0]
    for scores in classification_scores([one_hot, np.full(classes, 1 / classes)]).values():
        np.testing.assert_allclose(scores, [0.0, 1.0], atol=1e-9)


def test_one_class_is_never_uncertain_and_no_row_is_no_score() -> None:
    assert all(s.tolist() == [0.0, 0.0] for s in classification_scores(np.ones((2, 1))).values())
    assert all(s.shape == (0,) for s in classification_scores(np.empty((0, 4))).values())


def test_half_precision_tensors_are_probabilities_too() -> None:
    probs = torch.softmax(torch.randn(64, 100, generator=torch.Generator().manual_seed(0)), dim=1)
    exact, half = classification_scores(probs), classification_scores(probs.half())
    np.testing.assert_allclose(half["uncertainty_entropy"], exact["uncertainty_entropy"], atol=1e-3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, np.nan], "1 of 2 rows of probs, first row 1, hold NaN or infinity"),
        ([2.0, -1.0], "first row 1, hold values outside 0 to 1: give probabilities, not logits"),
        ([0.5, 0.4], "first row 1, do not sum to 1: apply softmax over all classes"),
    ],
)
def test_what_are_no_probabilities_is_refused(row: list[float], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        classification_scores([[0.5, 0.5], row])


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(UserError, match=re.escape("probs must be [..., C] with at least one class, got [2]")):
        classification_scores([0.5, 0.5])
