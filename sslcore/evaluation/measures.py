"""kNN and linear probe of one set of features, on the same labelled samples as all others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sslcore.config import EvaluateConfig
from sslcore.devices import resolve_device
from sslcore.evaluation.knn import knn_predict
from sslcore.evaluation.labelled import LabelledSamples
from sslcore.evaluation.linear_probe import linear_probe

__all__ = ["Measured", "majority_accuracy", "measure"]


@dataclass(frozen=True)
class Measured:
    """Shares of right answers, in [0, 1]; None where a split has no labelled sample."""

    knn: float | None
    """kNN on the test split."""
    linear_probe: float | None
    """Linear probe on the test split."""
    knn_val: float | None
    """kNN on the val split."""
    knn_predictions: Tensor
    """What kNN says about the test split, int64."""


def measure(features: Tensor, labelled: LabelledSamples, config: EvaluateConfig) -> Measured:
    """Fit on the labelled training samples and measure on the val and test splits.

    Args:
        features: Of all labelled samples, [N, D].
        labelled: Their classes and splits; at least two classes in the training split.
        config: k, temperature, penalty and device.
    """
    device = resolve_device(config.device)
    of_split = {split: features[rows].to(device) for split, rows in labelled.splits.items()}
    train, classes = labelled.targets_of("train").to(device), len(labelled.classes)

    def knn(split: str) -> Tensor:
        return knn_predict(
            of_split["train"],
            train,
            of_split[split],
            num_classes=classes,
            k=config.knn_k,
            temperature=config.knn_temperature,
        )

    empty = torch.empty(0, dtype=torch.int64)
    test, val = labelled.targets_of("test"), labelled.targets_of("val")
    predictions = knn("test").cpu() if len(test) else empty
    probe = empty
    if len(test):
        probe = linear_probe(
            of_split["train"], train, of_split["test"], num_classes=classes, l2=config.probe_l2
        ).cpu()
    return Measured(
        knn=_accuracy(predictions, test),
        linear_probe=_accuracy(probe, test),
        knn_val=_accuracy(knn("val").cpu(), val) if len(val) else None,
        knn_predictions=predictions,
    )


def majority_accuracy(labelled: LabelledSamples) -> float | None:
    """Return how often the most common training class (the first of several) is right on test."""
    test = labelled.targets_of("test")
    most_common = labelled.targets_of("train").bincount(minlength=len(labelled.classes)).argmax()
    return _accuracy(most_common.expand(len(test)), test)


def _accuracy(predictions: Tensor, targets: Tensor) -> float | None:
    return float((predictions == targets).double().mean()) if len(targets) else None
