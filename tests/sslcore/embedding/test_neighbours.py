"""Neighbours against plain loops."""

import numpy as np
import pytest
import torch

from sslcore.embedding import neighbours
from sslcore.embedding.neighbours import near_duplicates, nearest_neighbours, outlier_scores
from sslcore.errors import ConfigError, UserError


def drawn(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def in_loops(bank: np.ndarray, query: np.ndarray, k: int, without: int | None = None) -> list[int]:
    order = sorted((-similarity(query, row), place) for place, row in enumerate(bank) if place != without)
    return [place for _, place in order[:k]]


@pytest.mark.parametrize("pairs_at_once", [100, neighbours.PAIRS_AT_ONCE])
def test_neighbours_equal_plain_loops(pairs_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PAIRS_AT_ONCE", pairs_at_once)
    bank, queries = drawn(40), drawn(9, seed=1)
    values, rows = nearest_neighbours(bank, 5, queries=queries)
    assert rows.tolist() == [in_loops(bank, query, 5) for query in queries]
    assert values[3, 2] == pytest.approx(similarity(queries[3], bank[rows[3, 2]]), abs=1e-6)


def test_a_vector_is_not_its_own_neighbour_but_its_copy_is() -> None:
    bank = drawn(20)
    bank[7] = 2 * bank[3]
    values, rows = nearest_neighbours(bank, 4)
    assert rows[3, 0] == 7
    assert rows[7, 0] == 3
    assert values[3, 0] == pytest.approx(1, abs=1e-6)
    assert rows[12].tolist() == in_loops(bank, bank[12], 4, without=12)


def test_equal_neighbours_come_in_the_order_of_rows() -> None:
    bank = np.tile(np.array([[1.0, 0.0]], np.float32), (30, 1))
    assert nearest_neighbours(bank, 3, queries=bank[:1])[1].tolist() == [[0, 1, 2]]


def test_approximate_search_finds_nearly_all() -> None:
    pytest.importorskip("faiss", reason="faiss is not installed")
    bank = drawn(2000)
    exact, found = nearest_neighbours(bank, 10)[1], nearest_neighbours(bank, 10, approximate=True)[1]
    shared = [len(set(a) & set(b)) for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert np.mean(shared) > 9.8
    assert not (found == np.arange(2000)[:, None]).any()


@pytest.mark.parametrize("k", [3, 150, 199, 230, 1500])
def test_approximate_search_among_many_copies_is_that_of_exact_search(k: int) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed")
    bank = np.repeat(drawn(10), 200, axis=0)[np.random.default_rng(1).permutation(2000)]
    exact, found = nearest_neighbours(bank, k), nearest_neighbours(bank, k, approximate=True)
    assert np.array_equal(found[1], exact[1])
    assert np.allclose(found[0], exact[0], atol=1e-6)
    assert np.allclose(outlier_scores(bank, k=k, approximate=True), outlier_scores(bank, k=k), atol=1e-6)


def test_equal_approximate_neighbours_come_in_the_order_of_rows() -> None:
    pytest.importorskip("faiss", reason="faiss is not installed")
    bank = np.tile(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), (30, 1))
    _, rows = nearest_neighbours(bank, 4, queries=bank[:2], approximate=True)
    assert rows.tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_what_the_graph_does_not_find_is_searched_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    faiss = pytest.importorskip("faiss", reason="faiss is not installed")
    search = faiss.IndexHNSWFlat.search

    def misses(self: object, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        values, rows = search(self, queries, k)
        values[2, -1], rows[2, -1] = np.finfo(np.float32).min, -1
        return values, rows

    monkeypatch.setattr(faiss.IndexHNSWFlat, "search", misses)
    bank, queries = drawn(40), drawn(5, seed=1)
    exact, found = (nearest_neighbours(bank, 6, queries=queries, approximate=way) for way in (False, True))
    assert np.array_equal(found[1], exact[1])
    assert np.allclose(found[0], exact[0], atol=1e-6)


@pytest.mark.parametrize("pairs_at_once", [50, neighbours.PAIRS_AT_ONCE])
def test_near_duplicates_equal_plain_loops(pairs_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PAIRS_AT_ONCE", pairs_at_once)
    bank = drawn(31)
    bank[30] = 3 * bank[2]
    for threshold in (0.6, 1.0):
        expected = [
            [a, b]
            for a in range(31)
            for b in range(a + 1, 31)
            if similarity(bank[a], bank[b]) >= threshold - 1e-6
        ]
        assert near_duplicates(bank, threshold=threshold).tolist() == expected


def test_the_vector_far_from_all_others_is_the_outlier() -> None:
    bank = 0.1 * drawn(50) + np.eye(6, dtype=np.float32)[0]
    bank[17] = -np.eye(6)[0]
    scores = outlier_scores(bank, k=3)
    assert scores.argmax() == 17
    by_hand = np.mean([1 - similarity(bank[5], bank[row]) for row in in_loops(bank, bank[5], 3, without=5)])
    assert scores[5] == pytest.approx(by_hand, abs=1e-6)


def test_wrong_arguments_are_one_line() -> None:
    with pytest.raises(ConfigError, match="k must be from 1 to 3"):
        nearest_neighbours(drawn(4), 4)
    with pytest.raises(UserError, match="queries have 2 dimensions, the vectors 6"):
        nearest_neighbours(drawn(4), 1, queries=torch.zeros(1, 2))
    with pytest.raises(UserError, match="1 of 4 vectors hold NaN or infinity, first in row 2"):
        near_duplicates(np.where(np.arange(4)[:, None] == 2, np.nan, drawn(4)))
    with pytest.raises(ConfigError, match=r"threshold must be in \(-1, 1\], got 2"):
        near_duplicates(drawn(4), threshold=2)
