"""Label-efficiency curve: how accurate a classifier on frozen features is with how many labels.

The labels are drawn at random, nested (those of a smaller budget are among those of a larger one of the same
seed), so that a curve does not jump because other samples were drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslcore.config import EvaluateConfig
from sslcore.evaluation.knn import knn_predict
from sslcore.evaluation.linear_probe import linear_probe

__all__ = ["CurvePoint", "budgets_for", "label_efficiency"]

PER_CLASS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class CurvePoint:
    """An accuracy with some labels.

    Attributes:
        num_labels: How many.
        measure: ``knn`` or ``linear_probe``.
        mean: Over the seeds, 0 to 1.
        std: Over the seeds; 0 for one seed or all labels.
    """

    num_labels: int
    measure: str
    mean: float
    std: float


def budgets_for(num_labels: int, num_classes: int) -> list[int]:
    """Return the budgets of a curve: 1, 2, 5, 10, ... labels per class on average, and all there are."""
    return [*(each * num_classes for each in PER_CLASS if each * num_classes < num_labels), num_labels]


def label_efficiency(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    targets: Tensor,
    *,
    num_classes: int,
    budgets: Sequence[int],
    config: EvaluateConfig,
) -> list[CurvePoint]:
    """Measure the curve.

    Args:
        bank: Features with labels, [N, D].
        labels: Their classes, int64 [N].
        queries: Features to classify, [M, D]; at least one.
        targets: Their classes, int64 [M].
        num_classes: C.
        budgets: How many labels, each from 1 to N.
        config: k, temperature, penalty, seed and ``label_seeds``.
    """
    points = []
    for budget in budgets:
        seeds = range(1 if budget == len(bank) else config.label_seeds)
        found = [
            list(_accuracies(rows, bank, labels, queries, targets, num_classes, config))
            for rows in (_drawn(len(bank), budget, config.seed, seed) for seed in seeds)
        ]
        for measure, values in zip(("knn", "linear_probe"), zip(*found, strict=True), strict=True):
            points.append(CurvePoint(budget, measure, float(np.mean(values)), float(np.std(values))))
    return points


def _drawn(total: int, budget: int, seed: int, number: int) -> Tensor:
    """Return rows, the first of a permutation that depends on the seed alone, in ascending order."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
    return torch.from_numpy(np.sort(rng.permutation(total)[:budget]))


def _accuracies(
    rows: Tensor,
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    targets: Tensor,
    num_classes: int,
    config: EvaluateConfig,
) -> Iterator[float]:
    rows = rows.to(bank.device)
    given: tuple[Tensor, Tensor, Tensor] = (bank[rows], labels[rows], queries)
    knn = knn_predict(*given, num_classes=num_classes, k=config.knn_k, temperature=config.knn_temperature)
    probe = linear_probe(*given, num_classes=num_classes, l2=config.probe_l2)
    for predicted in (knn, probe):
        yield float((predicted.cpu() == targets.cpu()).double().mean())
