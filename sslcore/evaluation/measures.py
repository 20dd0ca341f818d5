"""kNN and linear probe of one set of features, on the same labelled samples as all others."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sslcore.config import EvaluateConfig
from sslcore.devices import resolve_device
from sslcore.evaluation.knn import knn_predict
from sslcore.evaluation.labelled import LabelledSamples
from sslcore.evaluation.linear_probe import linear_probe

__all__ = ["MEASURES", "Measured", "majority_accuracy", "measure"]

MEASURES = ("knn", "knn_plain", "linear_probe", "knn_val")


@dataclass(frozen=True)
class Measured:
    """What was right; an outcome is bool [M], empty where a split has no labelled sample."""

    outcomes: Mapping[str, Tensor]
    """By MEASURES: kNN weighted and plain and the linear probe on test, weighted kNN on val."""
    knn_predictions: Tensor
    """What kNN says about the test split, int64."""

    def accuracy(self, measure: str) -> float | None:
        """Return the share of right answers, in [0, 1]; None where there is nothing to answer."""
        outcome = self.outcomes[measure]
        return float(outcome.double().mean()) if len(outcome) else None


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

    def knn(split: str, *, weighted: bool = True) -> Tensor:
        return knn_predict(
            of_split["train"],
            train,
            of_split[split],
            num_classes=classes,
            k=config.knn_k,
            temperature=config.knn_temperature,
            weighted=weighted,
        ).cpu()

    test, val = labelled.targets_of("test"), labelled.targets_of("val")
    predictions = dict.fromkeys(MEASURES, torch.empty(0, dtype=torch.int64))
    if len(test):
        given = (of_split["train"], train, of_split["test"])
        probe = linear_probe(*given, num_classes=classes, l2=config.probe_l2).cpu()
        predictions |= {"knn": knn("test"), "knn_plain": knn("test", weighted=False), "linear_probe": probe}
    if len(val):
        predictions["knn_val"] = knn("val")
    outcomes = {
        name: said == (val if name == "knn_val" else test) for name, said in predictions.items() if len(said)
    }
    none = torch.empty(0, dtype=torch.bool)
    return Measured({name: outcomes.get(name, none) for name in MEASURES}, predictions["knn"])


def majority_accuracy(labelled: LabelledSamples) -> float | None:
    """Return how often the most common training class (the first of several) is right on test."""
    test = labelled.targets_of("test")
    most_common = labelled.targets_of("train").bincount(minlength=len(labelled.classes)).argmax()
    return float((most_common.expand(len(test)) == test).double().mean()) if len(test) else None
