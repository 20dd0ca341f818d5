"""kNN against the rule in plain loops."""

import math

import pytest
import torch

from sslcore.errors import ConfigError
from sslcore.evaluation import knn
from sslcore.evaluation.knn import knn_accuracy, knn_predict


def predict_in_loops(
    bank: torch.Tensor, labels: torch.Tensor, queries: torch.Tensor, classes: int, k: int, temperature: float
) -> list[int]:
    """The rule of Wu et al. 2018 with one query, one neighbour and one vote at a time."""
    predictions = []
    for query in queries.tolist():
        similarities = []
        for index, sample in enumerate(bank.tolist()):
            dot = sum(a * b for a, b in zip(query, sample, strict=True))
            lengths = math.sqrt(sum(a * a for a in query)) * math.sqrt(sum(b * b for b in sample))
            similarities.append((-dot / lengths, index))
        votes = [0.0] * classes
        for negative, index in sorted(similarities)[:k]:
            votes[int(labels[index])] += math.exp(-negative / temperature)
        predictions.append(votes.index(max(votes)))
    return predictions


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (5, 0.07), (20, 0.5), (60, 10.0)])
def test_predictions_equal_plain_loops(k: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(k)
    bank, queries = torch.randn(60, 7, generator=generator), torch.randn(33, 7, generator=generator)
    labels = torch.randint(0, 4, (60,), generator=generator)
    got = knn_predict(bank, labels, queries, num_classes=4, k=k, temperature=temperature)
    assert got.tolist() == predict_in_loops(bank, labels, queries, 4, k, temperature)


def test_chunks_do_not_change_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    bank, queries = torch.randn(50, 5, generator=generator), torch.randn(23, 5, generator=generator)
    labels = torch.randint(0, 3, (50,), generator=generator)
    whole = knn_predict(bank, labels, queries, num_classes=3)
    monkeypatch.setattr(knn, "PAIRS_AT_ONCE", 100)
    assert torch.equal(knn_predict(bank, labels, queries, num_classes=3), whole)


def test_equally_near_neighbours_are_taken_in_the_order_of_the_bank() -> None:
    bank = torch.tensor([[1.0, 0.0]] * 40)
    labels = torch.tensor([1, 1, 1] + [0] * 37)
    assert knn_predict(bank, labels, torch.tensor([[2.0, 1.0]]), num_classes=2, k=3).tolist() == [1]
    assert knn_predict(bank, labels, torch.tensor([[2.0, 1.0]]), num_classes=2, k=40).tolist() == [0]


def test_equal_votes_go_to_the_lowest_class() -> None:
    bank = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    got = knn_predict(bank, torch.tensor([2, 1]), torch.tensor([[1.0, 0.0]]), num_classes=3, k=2)
    assert got.tolist() == [1]


def test_k_larger_than_the_bank_means_the_whole_bank() -> None:
    bank, labels = torch.eye(3), torch.tensor([0, 1, 2])
    assert knn_predict(bank, labels, torch.eye(3), num_classes=3, k=200).tolist() == [0, 1, 2]


def test_a_low_temperature_does_not_overflow() -> None:
    bank, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    got = knn_predict(bank, labels, torch.tensor([[0.1, 1.0]]), num_classes=2, k=2, temperature=1e-4)
    assert got.tolist() == [1]


def test_accuracy_is_the_share_of_right_answers() -> None:
    bank, labels = torch.eye(2), torch.tensor([0, 1])
    queries, truth = (
        torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 0.0], [3.0, 2.0]]),
        torch.tensor([0, 1, 1, 0]),
    )
    assert knn_accuracy(bank, labels, queries, truth, num_classes=2, k=1) == 0.75


def test_wrong_arguments_are_named() -> None:
    bank, labels = torch.eye(2), torch.tensor([0, 1])
    with pytest.raises(ConfigError, match="k must be >= 1, got 0"):
        knn_predict(bank, labels, bank, num_classes=2, k=0)
    with pytest.raises(ConfigError, match="temperature must be > 0, got -0.1"):
        knn_predict(bank, labels, bank, num_classes=2, temperature=-0.1)
    with pytest.raises(ValueError, match="the bank is empty"):
        knn_predict(bank[:0], labels[:0], bank, num_classes=2)
    with pytest.raises(ValueError, match=r"bank labels must be in \[0, 1\)"):
        knn_predict(bank, labels, bank, num_classes=1)
    with pytest.raises(ValueError, match="one label for each"):
        knn_accuracy(bank, labels, bank, labels[:1], num_classes=2)


def test_plain_knn_counts_heads() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    labels, query = torch.tensor([0, 1, 1]), torch.tensor([[1.0, 0.0]])
    assert knn_predict(bank, labels, query, num_classes=2, k=3).tolist() == [0]
    assert knn_predict(bank, labels, query, num_classes=2, k=3, weighted=False).tolist() == [1]
