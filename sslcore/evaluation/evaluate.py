"""The evaluate step: how good the backbone is, against random weights, raw pixels and the champion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sslcore.backbones import ModelInfo, read_model_info
from sslcore.config import EvaluateConfig
from sslcore.data import read_manifest
from sslcore.devices import resolve_device
from sslcore.embedding import Embeddings, read_embeddings
from sslcore.errors import UserError
from sslcore.evaluation.clustering import clustering_agreement
from sslcore.evaluation.collapse import effective_rank, feature_std
from sslcore.evaluation.feature_sets import (
    FeatureRequest,
    champion_features,
    embedded_features,
    random_features,
    raw_pixels,
)
from sslcore.evaluation.intervals import intervals_of
from sslcore.evaluation.label_efficiency import budgets_for, label_efficiency
from sslcore.evaluation.labelled import LabelledSamples, labelled_samples
from sslcore.evaluation.measures import MEASURES, Measured, majority_accuracy, measure
from sslcore.evaluation.results import figures_of, summary_of, write_results
from sslcore.monitor import SILENT, Monitor

__all__ = ["EvaluateReport", "evaluate"]

# RankMe's authors find 25,600 samples enough for a stable estimate.
RANK_SAMPLES = 25_600


@dataclass(frozen=True)
class EvaluateReport:
    """How good the backbone is."""

    summary: str
    """Two lines for a person."""
    figures: dict[str, float]
    """All measures by name (knn_backbone, linear_probe_raw_pixels, knn_val_champion, ...)."""
    model_id: str
    """Version of the model that was judged."""
    candidate_accuracy: float | None
    """Its kNN accuracy on the val split; None when there are no labels for it."""
    champion_accuracy: float | None
    """The champion's, on the same samples; None when there is no champion or no label."""
    champion_model_id: str | None
    """Version of the champion; None when there is none or it was not measured."""


@dataclass(frozen=True)
class _Comparison:
    """Measures by the name of the features, which model the champion is, and what is to be said of it."""

    measured: Mapping[str, Measured] = field(default_factory=dict)
    champion_id: str | None = None
    notes: Sequence[str] = ()


def evaluate(
    config: EvaluateConfig,
    *,
    dataset: Path,
    backbone: Path,
    embeddings: Path,
    labels: Path,
    output: Path,
    champion: Path | None = None,
    monitor: Monitor = SILENT,
) -> EvaluateReport:
    """Measure the features and write ``output/evaluate.json`` and ``output/plots/*.csv``.

    kNN and the probe are fitted on the labelled samples of the train split. Test figures are for
    people; promotion goes by kNN on the val split, so that test stays unseen by any choice. Without
    enough labels only the measures that need none are there, with a note.

    Args:
        config: How.
        dataset: The data set's folder.
        backbone: The folder of the trained network.
        embeddings: Its embeddings of the data set.
        labels: The folder of added labels; may be missing.
        output: An empty folder.
        champion: A folder like ``backbone`` of the current champion, measured on the same samples; by its
            pooled features, with a note, where its architecture lacks those that were embedded.
        monitor: Told how far it is.

    Raises:
        UserError: If the embeddings are of another model or lack a labelled sample, or a label file
            cannot be used.
    """
    stored = read_embeddings(embeddings)
    info = read_model_info(backbone)
    if stored.model_id != info.model_id:
        raise UserError(
            f"{embeddings} is of model {stored.model_id}, not {info.model_id}; run: sslflow embed"
        )
    labelled = labelled_samples(read_manifest(dataset), dataset=dataset, labels=labels)
    comparison = _Comparison()
    if labelled.num_train_classes() >= 2:
        given = FeatureRequest(dataset, labelled.indices, config, stored.features, stored.normalized, monitor)
        comparison = _compare(given, stored, info, labelled, champion)
    document = _document(stored, labelled, comparison, [*_notes(labelled), *comparison.notes])
    if comparison.measured:
        document |= intervals_of(comparison.measured, config)
        document |= _label_efficiency(stored, labelled, config)
        document |= _clustering(stored, labelled, config)
    write_results(output, document, labelled, comparison.measured)
    figures = figures_of(document)
    candidate, best = (comparison.measured.get(name) for name in ("backbone", "champion"))
    return EvaluateReport(
        summary=summary_of(document, embed_dim=stored.vectors.shape[1]),
        figures=figures,
        model_id=info.model_id,
        candidate_accuracy=candidate.accuracy("knn_val") if candidate else None,
        champion_accuracy=best.accuracy("knn_val") if best else None,
        champion_model_id=comparison.champion_id,
    )


def _compare(
    given: FeatureRequest,
    stored: Embeddings,
    info: ModelInfo,
    labelled: LabelledSamples,
    champion: Path | None,
) -> _Comparison:
    config = given.config
    measured = {
        "backbone": measure(embedded_features(stored, labelled.sample_ids), labelled, config),
        "random_weights": measure(random_features(given, info), labelled, config),
        "raw_pixels": measure(raw_pixels(given), labelled, config),
    }
    if champion is None:
        return _Comparison(measured)
    champion_info = read_model_info(champion)
    if champion_info.model_id == info.model_id:
        # The same weights: measuring them again could only differ by rounding.
        measured["champion"] = measured["backbone"]
        return _Comparison(measured, champion_info.model_id)
    features, which = champion_features(given, champion)
    measured["champion"] = measure(features, labelled, config)
    unlike = f"the champion has no {given.features} features: it is measured by its {which} ones"
    return _Comparison(measured, champion_info.model_id, [unlike] if which != given.features else [])


def _label_efficiency(
    stored: Embeddings, labelled: LabelledSamples, config: EvaluateConfig
) -> dict[str, Any]:
    """Measure the curve on the test split; without labels there, it is absent."""
    if not len(labelled.splits["test"]):
        return {}
    device = resolve_device(config.device)
    features = embedded_features(stored, labelled.sample_ids).to(device)
    train, test = labelled.splits["train"], labelled.splits["test"]
    given = config.label_budgets or budgets_for(len(train), labelled.num_train_classes())
    curve = label_efficiency(
        features[train],
        labelled.targets_of("train").to(device),
        features[test],
        labelled.targets_of("test"),
        num_classes=len(labelled.classes),
        budgets=sorted({min(budget, len(train)) for budget in given}),
        config=config,
    )
    return {
        "label_efficiency": [
            {"labels": each.num_labels, "measure": each.measure}
            | {"mean": round(each.mean, 6), "std": round(each.std, 6)}
            for each in curve
        ]
    }


def _clustering(stored: Embeddings, labelled: LabelledSamples, config: EvaluateConfig) -> dict[str, Any]:
    """Measure it on all labelled samples: nothing is fitted to their labels."""
    found = clustering_agreement(
        embedded_features(stored, labelled.sample_ids),
        labelled.targets,
        num_groups=len(labelled.classes),
        seed=config.seed,
    )
    return {"clustering": {name: round(value, 6) for name, value in vars(found).items()}}


def _notes(labelled: LabelledSamples) -> list[str]:
    """Say why measures are absent, and what makes them lower than they could be."""
    num = {split: len(rows) for split, rows in labelled.splits.items()}
    if not num["train"]:
        return ["no labelled samples in the train split: accuracies cannot be measured"]
    if labelled.num_train_classes() < 2:
        return ["the labelled samples of the train split are all of one class: no accuracies"]
    notes = [f"no labelled samples in the {split} split" for split in ("val", "test") if not num[split]]
    for split in ("val", "test"):
        if unknown := labelled.num_unknown(split):
            notes.append(f"{unknown} of {num[split]} {split} samples are of classes without a training label")
    return notes


def _document(
    stored: Embeddings, labelled: LabelledSamples, comparison: _Comparison, notes: list[str]
) -> dict[str, Any]:
    """Put together what evaluate.json says; what could not be measured is absent."""
    document: dict[str, Any] = {
        "schema_version": 1,
        "model_id": stored.model_id,
        "dataset_fingerprint": stored.dataset_fingerprint,
        **{f"num_{split}": len(rows) for split, rows in labelled.splits.items()},
    }
    for key in MEASURES:
        accuracies: dict[str, Any] = {}
        for name, one in comparison.measured.items():
            accuracy = one.accuracy(key)
            if accuracy is None or (key == "knn_val" and name not in ("backbone", "champion")):
                continue
            value = round(accuracy, 6)
            if name == "champion":
                accuracies[name] = {"model_id": comparison.champion_id, "accuracy": value}
            else:
                accuracies[name] = value
        if accuracies:
            document[key] = accuracies
    chance = majority_accuracy(labelled) if comparison.measured else None
    if chance is not None:
        document["chance"] = round(chance, 6)
    if len(stored):
        rows = np.linspace(0, len(stored) - 1, min(len(stored), RANK_SAMPLES)).round().astype(np.int64)
        sample = torch.from_numpy(stored.vectors[rows])
        document["effective_rank"] = round(effective_rank(sample), 4)
        document["feature_std"] = round(feature_std(sample), 6)
    if notes:
        document["note"] = "; ".join(notes)
    return document
