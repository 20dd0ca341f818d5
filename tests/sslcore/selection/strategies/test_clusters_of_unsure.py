"""cluster_margin, dropquery and alfamix: their parts against plain loops."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.head import fit_head
from sslcore.selection.linkage import average_link
from sslcore.selection.strategies.alfamix import changed


def average_link_in_loops(x: NDArray[np.float64], num_clusters: int) -> set[frozenset[int]]:
    clusters = [[row] for row in range(len(x))]
    while len(clusters) > num_clusters:
        pairs = [(a, b) for a in range(len(clusters)) for b in range(a)]

        def mean(pair: tuple[int, int]) -> float:
            distances = [math.dist(x[i], x[j]) for i in clusters[pair[0]] for j in clusters[pair[1]]]
            return math.fsum(distances) / len(distances)

        a, b = min(pairs, key=mean)
        clusters[b] += clusters.pop(a)
    return {frozenset(each) for each in clusters}


@pytest.mark.parametrize("num_clusters", [1, 4, 9, 30])
def test_average_link_equals_plain_loops(num_clusters: int) -> None:
    x = np.random.default_rng(num_clusters).normal(size=(30, 3))
    found = average_link(x, num_clusters)
    clusters = {frozenset(np.flatnonzero(found == each).tolist()) for each in range(found.max() + 1)}
    assert clusters == average_link_in_loops(x, num_clusters)


def test_copies_are_merged_first() -> None:
    assert average_link(np.array([[0.0], [5.0], [0.0], [9.0]]), 3).tolist() == [0, 1, 0, 2]


def test_margins_are_taken_in_turn_from_the_smallest_cluster() -> None:
    # Two far groups of unsure samples, of 2 and 4; within each the smallest margin comes first.
    x = np.array([[0.0], [0.1], [9.0], [9.1], [9.2], [9.3]])
    margins = [0.3, 0.2, 0.25, 0.1, 0.4, 0.15]
    probs = np.array([[0.5 + m / 2, 0.5 - m / 2] for m in margins])
    got = select(x, 2, strategy="cluster_margin", probs=probs)
    assert got.indices.tolist() == [1, 3]
    assert got.columns["cluster_size"].tolist() == [2, 4]
    assert got.reasons[0] == "a close call (margin 0.20) from a cluster of 2 such samples"


def known(n: int, d: int, num_known: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    labels[:3] = [0, 1, 2]
    x = rng.normal(size=(n, d)) + 1.5 * np.eye(3, d)[labels]
    return x, np.where(np.arange(n) < num_known, labels, -1)


def test_mixing_equals_plain_loops() -> None:
    x, labels = known(25, 4, 10, seed=1)
    head = fit_head(x[:10], labels[:10])
    anchors = np.stack([x[:10][labels[:10] == each].mean(axis=0) for each in range(3)])
    expected = []
    for z in x[10:]:  # a class of one sample is its own mean: no way to go
        p = head.probs(z[None])[0]
        own = int(p.argmax())
        gradient = np.sum([(p[c] - (c == own)) * head.weight_CD[c] for c in range(3)], axis=0)
        gradient = gradient / math.sqrt(float((gradient**2).sum()))
        flips = 0
        for anchor in anchors:
            distance = math.dist(anchor, z)
            alpha = [
                min(max(0.3 * distance * g / (a - b), 0), 0.3)
                for g, a, b in zip(gradient, anchor, z, strict=True)
            ]
            mixed = [b + w * (a - b) for w, a, b in zip(alpha, anchor, z, strict=True)]
            flips += int(head.probs(np.array([mixed]))[0].argmax()) != own
        expected.append(flips)
    assert changed(x[10:], head, anchors, 0.3).tolist() == expected
    assert 0 < sum(each > 0 for each in expected) < 15


@pytest.mark.parametrize("strategy", ["alfamix", "dropquery"])
def test_picks_are_what_changes_its_class_more_easily_than_the_rest(strategy: str) -> None:
    x, labels = known(400, 6, 30, seed=2)
    got = select(x, 3, strategy=strategy, labels=labels, seed=1)
    margins = select(x, 370, strategy="margin", labels=labels)
    of_row = dict(zip(margins.indices.tolist(), margins.columns["margin"].tolist(), strict=True))
    assert np.mean([of_row[row] for row in got.indices]) > np.mean(list(of_row.values())) + 0.1
    column = "mixing_classes" if strategy == "alfamix" else "changes"
    assert (got.columns[column] >= 1).all()


@pytest.mark.parametrize("strategy", ["alfamix", "dropquery"])
def test_the_seed_decides(strategy: str) -> None:
    x, labels = known(200, 6, 20, seed=3)
    first, again = (select(x, 8, strategy=strategy, labels=labels, seed=4).indices.tolist() for _ in range(2))
    assert first == again
