"""The small classifier: its optimum, its span, its classes; and what is given wins."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection import select
from sslcore.selection.head import PENALTY, Head, committee, fit_head, pool_head, predictions
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled
from sslcore.selection.vectors import Vectors


def draw(n: int, d: int, classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return rng.normal(size=(n, d)) + 1.5 * rng.normal(size=(classes, d))[labels], labels


def as_pool(x: NDArray[np.float64], labels: NDArray[np.int64]) -> Pool:
    known = np.flatnonzero(labels >= 0)
    names = tuple(str(number) for number in range(labels.max() + 1))
    return Pool(Vectors(x), np.flatnonzero(labels < 0), known, labels=labels, classes=names)


def loss_in_loops(head: Head, x: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    total = PENALTY / 2 * sum(w * w for row in head.weight_CD.tolist() for w in row)
    for vector, label in zip(x, labels, strict=True):
        logits = [float(w @ vector + b) for w, b in zip(head.weight_CD, head.bias_C, strict=True)]
        right = logits[head.classes.tolist().index(label)]
        total += math.log(math.fsum(math.exp(each) for each in logits)) - right
    return float(total)


@pytest.mark.parametrize("shape", [(40, 3), (6, 30)])
def test_no_step_away_from_the_fit_lowers_the_loss(shape: tuple[int, int]) -> None:
    x, labels = draw(*shape, classes=3)
    head = fit_head(x, labels)
    least = loss_in_loops(head, x, labels)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(5):
            moved = Head(
                head.weight_CD + size * rng.normal(size=head.weight_CD.shape),
                head.bias_C + size * rng.normal(size=head.bias_C.shape),
                head.classes,
            )
            assert loss_in_loops(moved, x, labels) > least


def test_with_fewer_labels_than_dimensions_it_is_the_same_minimum() -> None:
    x, labels = draw(8, 20, classes=3, seed=2)
    labels[:3] = [0, 1, 2]
    padded = np.concatenate([x, np.zeros((30, 20))])  # weight 0 each: the same problem, in all dimensions
    weights = np.concatenate([np.ones(8), np.full(30, 1e-300)])
    wide = fit_head(padded, np.concatenate([labels, np.zeros(30, np.int64)]), weights_L=weights)
    np.testing.assert_allclose(fit_head(x, labels).weight_CD, wide.weight_CD, atol=1e-4)


def test_only_classes_that_are_seen_have_a_probability() -> None:
    x, labels = draw(30, 4, classes=2)
    head = pool_head(as_pool(x, np.where(labels == 0, 2, 7)), x)
    assert head.classes.tolist() == [2, 7]
    np.testing.assert_allclose(head.probs(x).sum(axis=1), 1)
    assert (head.probs(x).argmax(axis=1) == labels).mean() > 0.8


def test_scale_and_middle_of_the_embeddings_do_not_matter() -> None:
    x, labels = draw(60, 5, classes=3)
    labels[20:] = -1
    one, two = predictions(as_pool(x, labels)), predictions(as_pool(1000 * x + 77, labels))
    np.testing.assert_allclose(one, two, atol=1e-5)
    assert Scaled(as_pool(np.ones((4, 3)), labels[:4]))[np.arange(4)].tolist() == [[0.0] * 3] * 4


def test_the_number_of_threads_does_not_matter_at_all() -> None:
    x, labels = draw(300, 40, classes=5)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(fit_head(x, labels).weight_CD)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_a_fitted_committee_differs_between_members_and_not_between_runs() -> None:
    x, labels = draw(60, 5, classes=3)
    labels[12:] = -1
    first, again = (committee(as_pool(x, labels), seed=3) for _ in range(2))
    assert (first == again).all()
    assert first.shape == (10, 60, 3)
    assert first.std(axis=0).max() > 0.01


def test_given_probabilities_win_over_labels() -> None:
    x, labels = draw(20, 3, classes=2)
    labels[5:] = -1
    probs = np.full((20, 2), [0.9, 0.1])
    probs[13] = 0.5
    assert select(x, 1, strategy="margin", labels=labels, probs=probs).indices.tolist() == [13]


@pytest.mark.parametrize("strategy", ["margin", "badge", "bald"])
def test_one_class_or_none_is_not_enough(strategy: str) -> None:
    x, _ = draw(10, 3, classes=2)
    with pytest.raises(
        UserError, match=f"strategy '{strategy}' needs probs= .*|needs probs=, .*labels= of two"
    ):
        select(x, 2, strategy=strategy, labels=[0, 0] + [-1] * 8)
