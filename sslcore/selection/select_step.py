"""The select step: from embeddings and labels to the samples to label next, with a reason each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sslcore.choices import check_choice
from sslcore.config import SelectConfig
from sslcore.data import read_manifest
from sslcore.embedding.store import Embeddings, read_embeddings
from sslcore.labels import read_labels
from sslcore.monitor import SILENT, Monitor
from sslcore.selection.select import select
from sslcore.selection.selection import Selection
from sslcore.selection.strategies import PICKERS

__all__ = ["SelectReport", "select_samples"]

# Until rounds are kept, every selection is the first.
ROUND = 1


@dataclass(frozen=True)
class SelectReport:
    """What was picked."""

    summary: str
    """One or two lines for a person."""
    figures: dict[str, float]
    """num_selected, num_pool, num_labelled, budget."""


@dataclass(frozen=True)
class _Choice:
    """Rows of the embeddings that may be picked, and that are given."""

    pool: NDArray[np.int64]
    labelled: NDArray[np.int64]
    num_without_embedding: int


def select_samples(
    config: SelectConfig,
    *,
    dataset: Path,
    embeddings: Path,
    labels: Path,
    output: Path,
    monitor: Monitor = SILENT,
) -> SelectReport:
    """Pick the samples to label next and write ``output/selection.parquet``.

    Samples of ``config.splits`` without a label are the pool, and those with one are given (with
    ``pool: all``, labels are not looked at). Held-out labels are no labels here. Vectors get unit
    length, so that distances are those of directions (0 to 2). A budget above the pool takes it whole.

    Args:
        config: How.
        dataset: The data set's folder.
        embeddings: Its embeddings.
        labels: The folder of added labels; may be missing.
        output: An empty folder.
        monitor: Told when it is done.

    Raises:
        UserError: If the strategy is unknown, a vector is not finite, or a label file cannot be used.
    """
    check_choice(config.strategy, PICKERS, name="select.strategy")
    stored = read_embeddings(embeddings)
    manifest = read_manifest(dataset)
    choice = _choose(config, stored, manifest, read_labels(labels, manifest))
    budget = min(config.budget, len(choice.pool))
    picked, selection = np.empty(0, np.int64), None
    if budget:
        rows = np.concatenate([choice.labelled, choice.pool])
        selection = select(
            _unit(stored.vectors[rows]),
            budget,
            strategy=config.strategy,
            labelled=np.arange(len(choice.labelled)),
            ids=[stored.sample_ids[row] for row in rows],
            names=[stored.filenames[row] for row in rows],
            seed=config.seed,
            round=ROUND,
        )
        picked = rows[selection.indices]
    _write(output / "selection.parquet", stored, picked, selection, config)
    monitor.progress(budget, budget, "picks")
    return _report(config, choice, budget)


def _choose(
    config: SelectConfig, stored: Embeddings, manifest: pd.DataFrame, known: Mapping[str, str]
) -> _Choice:
    wanted = manifest["sample_id"][manifest["split"].isin(config.splits)].tolist()
    row_of = {sample_id: row for row, sample_id in enumerate(stored.sample_ids)}
    rows = [(sample_id, row_of[sample_id]) for sample_id in wanted if sample_id in row_of]
    given = known if config.pool == "unlabelled" else {}
    return _Choice(
        pool=_sorted([row for sample_id, row in rows if sample_id not in given]),
        labelled=_sorted([row for sample_id, row in rows if sample_id in given]),
        num_without_embedding=len(wanted) - len(rows),
    )


def _sorted(rows: Sequence[int]) -> NDArray[np.int64]:
    return np.sort(np.asarray(rows, dtype=np.int64))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    # In float64: the squares of large features do not overflow. A zero vector stays zero.
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def _write(
    path: Path,
    stored: Embeddings,
    picked: NDArray[np.int64],
    selection: Selection | None,
    config: SelectConfig,
) -> None:
    columns = {
        "rank": pa.array(range(1, len(picked) + 1), pa.int64()),
        "sample_id": pa.array([stored.sample_ids[row] for row in picked], pa.string()),
        "filename": pa.array([stored.filenames[row] for row in picked], pa.string()),
        "round": pa.array([ROUND] * len(picked), pa.int64()),
    }
    for name, values in selection.columns.items() if selection else ():
        columns[name] = pa.array(values, from_pandas=True)  # NaN (does not apply) becomes null
    columns["reason"] = pa.array(list(selection.reasons) if selection else [], pa.string())
    metadata = {
        "sslflow.strategy": config.strategy,
        "sslflow.seed": str(config.seed),
        "sslflow.model_id": stored.model_id,
        "sslflow.dataset_fingerprint": stored.dataset_fingerprint,
        "sslflow.schema_version": "1",
    }
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)


def _report(config: SelectConfig, choice: _Choice, budget: int) -> SelectReport:
    figures = {
        "num_selected": float(budget),
        "num_pool": float(len(choice.pool)),
        "num_labelled": float(len(choice.labelled)),
        "budget": float(config.budget),
    }
    where = f"the {', '.join(config.splits)} split{'s' if len(config.splits) > 1 else ''}"
    kind = "unlabelled samples" if config.pool == "unlabelled" else "samples"
    if not budget:
        summary = (
            f"nothing to pick: there are no {kind} in {where}; "
            "set select.splits, or select.pool: all, to pick from others"
        )
    else:
        summary = f"{budget} of {len(choice.pool)} {kind} in {where} picked by {config.strategy}"
        if choice.labelled.size:
            summary += f", with {len(choice.labelled)} labelled samples given"
        if budget < config.budget:
            summary += f"; the budget of {config.budget} is more than there are"
    if choice.num_without_embedding:
        summary += f"\n{choice.num_without_embedding} samples have no embedding yet; run: sslflow embed"
    return SelectReport(summary=summary, figures=figures)
