"""What evaluate writes: evaluate.json, the plots' data, figures and the lines a person reads."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sslcore.evaluation.labelled import LabelledSamples
from sslcore.evaluation.measures import MEASURES, Measured

__all__ = ["figures_of", "summary_of", "write_results"]


def write_results(
    output: Path, document: Mapping[str, Any], labelled: LabelledSamples, measured: Mapping[str, Measured]
) -> None:
    """Write ``evaluate.json`` and, in ``plots/``, confusion.csv, comparison.csv and label_efficiency.csv.

    The plots' files are there, with a header only, also when nothing was measured.

    Args:
        output: Where to.
        document: What evaluate.json says.
        labelled: The samples judged on.
        measured: Measures by the name of the features.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    (output / "evaluate.json").write_text(text + "\n", encoding="utf-8")
    plots = output / "plots"
    plots.mkdir()
    predictions = measured["backbone"].knn_predictions.tolist() if measured else []
    actual = labelled.targets_of("test").tolist() if measured else []
    names = labelled.classes
    _write_csv(
        plots / "confusion.csv",
        ["actual", "predicted"],
        [[names[a], names[p]] for a, p in zip(actual, predictions, strict=True)],
    )
    _write_csv(
        plots / "label_efficiency.csv",
        ["labels", "measure", "accuracy", "std"],
        [
            [point["labels"], point["measure"], point["mean"], point["std"]]
            for point in document.get("label_efficiency", [])
        ],
    )
    _write_csv(
        plots / "comparison.csv",
        ["features", "measure", "accuracy"],
        [[name, key, accuracy] for key, name, accuracy in _accuracies(document)],
    )


def figures_of(document: Mapping[str, Any]) -> dict[str, float]:
    """Return all measures under flat names: knn_backbone, knn_val_champion, effective_rank, ..."""
    figures = {f"{key}_{name}": accuracy for key, name, accuracy in _accuracies(document)}
    figures |= {f"clustering_{key}": float(value) for key, value in document.get("clustering", {}).items()}
    plain = ("chance", "effective_rank", "feature_std", "num_train", "num_val", "num_test")
    return figures | {key: float(document[key]) for key in plain if key in document}


def summary_of(document: Mapping[str, Any], *, embed_dim: int) -> str:
    """Return two lines that say how good the backbone is."""
    lines = []
    measures = {"knn": "kNN", "linear_probe": "linear probe"}
    parts = [f"{words} {_compared(document[key])}" for key, words in measures.items() if key in document]
    if parts:
        lines.append(f"on {document['num_test']} test samples: {', '.join(parts)}")
    if "effective_rank" in document:
        lines.append(
            f"effective rank {document['effective_rank']:.1f} of {embed_dim}, "
            f"feature std {document['feature_std']:.4f} (spread out: {embed_dim**-0.5:.4f})"
        )
    if "note" in document:
        lines.append(document["note"])
    return "\n".join(lines)


def _compared(accuracies: Mapping[str, Any]) -> str:
    others = [
        f"{name.replace('_', ' ')} {value['accuracy'] if isinstance(value, Mapping) else value:.1%}"
        for name, value in accuracies.items()
        if name != "backbone"
    ]
    return f"{accuracies['backbone']:.1%} ({', '.join(others)})"


def _accuracies(document: Mapping[str, Any]) -> Iterable[tuple[str, str, float]]:
    """Yield measure, name of the features and accuracy."""
    for key in MEASURES:
        for name, value in document.get(key, {}).items():
            yield key, name, float(value["accuracy"] if isinstance(value, Mapping) else value)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
