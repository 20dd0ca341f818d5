"""The label-efficiency curve against classifiers fitted by hand on the drawn labels."""

import numpy as np
import torch

from sslcore.config import EvaluateConfig
from sslcore.evaluation.knn import knn_predict
from sslcore.evaluation.label_efficiency import budgets_for, label_efficiency


def blobs(total: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(total) % 3
    centres = 2 * torch.eye(3, 5)
    return centres[labels] + torch.randn(total, 5, generator=generator), labels


def test_each_point_is_the_mean_over_seeds_of_random_nested_labels() -> None:
    (bank, labels), (queries, targets) = blobs(60, 0), blobs(90, 1)
    config = EvaluateConfig(knn_k=3, label_seeds=2, seed=5)
    curve = label_efficiency(bank, labels, queries, targets, num_classes=3, budgets=[6, 60], config=config)
    expected = []
    for seed in range(2):
        order = np.random.default_rng(np.random.SeedSequence([5, seed])).permutation(60)
        rows = sorted(order[:6].tolist())
        said = knn_predict(bank[rows], labels[rows], queries, num_classes=3, k=3)
        expected.append(float((said == targets).double().mean()))
    found = {(each.num_labels, each.measure): each for each in curve}
    assert found[6, "knn"].mean == np.mean(expected)
    assert found[6, "knn"].std == np.std(expected)
    whole = knn_predict(bank, labels, queries, num_classes=3, k=3)
    assert found[60, "knn"].mean == float((whole == targets).double().mean())
    assert found[60, "knn"].std == 0


def test_more_labels_are_better() -> None:
    (bank, labels), (queries, targets) = blobs(300, 0), blobs(300, 1)
    config = EvaluateConfig(label_seeds=5)
    curve = label_efficiency(bank, labels, queries, targets, num_classes=3, budgets=[3, 300], config=config)
    for measure in ("knn", "linear_probe"):
        few, all_of_them = (each.mean for each in curve if each.measure == measure)
        assert all_of_them > few + 0.1


def test_budgets_are_per_class_and_end_with_all() -> None:
    assert budgets_for(60, 3) == [3, 6, 15, 30, 60]
    assert budgets_for(3, 3) == [3]
