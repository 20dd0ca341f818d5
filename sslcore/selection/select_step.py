"""The select step: from embeddings and labels to the samples to label next, with a reason each."""

import math
from collections.abc import Callable, Mapping, Sequence
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
from sslcore.data.metadata import with_metadata
from sslcore.embedding.store import Embeddings, read_embeddings
from sslcore.errors import ConfigError
from sslcore.labels import merge_labels
from sslcore.monitor import SILENT, Monitor
from sslcore.selection.plan import Tables, resolve
from sslcore.selection.select import select
from sslcore.selection.selection import Selection
from sslcore.selection.strategies import PICKERS

__all__ = ["SelectReport", "select_samples"]

ROWS_AT_ONCE = 16384

# Strategies that need what the stage has not -> why, and which plan does the same.
NOT_HERE = {
    "coral": "needs scores, which this stage takes in a plan only; leave strategy: auto and set objectives: "
    "[{strategy: diversity}, {strategy: weights, input: scores, column: ..., file: ...}]",
    "stratified": "needs the class of samples that have no label; leave strategy: auto and set objectives: "
    "[{strategy: balance, target: input, column: ..., file: ...}]",
    "objectives": "is what strategy: auto runs when objectives are set; leave strategy: auto",
}


@dataclass(frozen=True)
class SelectReport:
    """What was picked."""

    summary: str
    """One or two lines for a person."""
    figures: dict[str, float]
    """num_selected, num_pool, num_labelled, and budget as it was asked for: a count, a share or a cost."""


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
    length, so that distances are those of directions (0 to 2). A budget above the pool takes it whole. The
    round is one more than the rounds in which people labelled so far (`MergedLabels.num_rounds`).

    Args:
        config: How.
        dataset: The data set's folder.
        embeddings: Its embeddings.
        labels: The folder of added labels; may be missing.
        output: An empty folder.
        monitor: Told when it is done.

    Raises:
        UserError: If the strategy is unknown or needs what only a plan gives, a vector is not finite, a label
            file cannot be used, or a file, column or sample that the plan names is not there.
    """
    check_choice(config.strategy, PICKERS, name="select.strategy")
    if config.strategy in NOT_HERE:
        raise ConfigError(f"select.strategy: {config.strategy} {NOT_HERE[config.strategy]}")
    stored = read_embeddings(embeddings)
    manifest = read_manifest(dataset)
    merged = merge_labels(labels, manifest)
    known, round = merged.labels, merged.num_rounds + 1
    choice = _choose(config, stored, manifest, known)
    budget = _budget(config, len(choice.pool))
    picked, selection = np.empty(0, np.int64), None
    if budget:
        rows = np.concatenate([choice.labelled, choice.pool])
        ids = [stored.sample_ids[row] for row in rows]
        tables = Tables(
            with_metadata(manifest, dataset), labels, ids, _vector_of(stored), len(choice.labelled)
        )
        objectives, constraints = resolve(config, tables)
        selection = select(
            _unit(stored.vectors[rows]),
            budget,
            strategy=config.strategy,
            labelled=np.arange(len(choice.labelled)),
            labels=[known.get(each) for each in ids[: len(choice.labelled)]] + [None] * len(choice.pool),
            objectives=objectives or None,
            constraints=constraints or None,
            ids=ids,
            names=[stored.filenames[row] for row in rows],
            seed=config.seed,
            round=round,
        )
        picked = rows[selection.indices]
    _write(output / "selection.parquet", stored, picked, selection, config, round=round)
    monitor.progress(len(picked), len(picked), "picks")
    return _report(config, choice, selection)


def _budget(config: SelectConfig, num_pool: int) -> int:
    """Return how many may be picked at most; a cost is kept to by a constraint."""
    if config.budget_cost is not None:
        return num_pool
    if config.budget_share is not None:
        return math.ceil(round(config.budget_share * num_pool, 9))
    return min(config.budget, num_pool)


def _vector_of(stored: Embeddings) -> Callable[[str], NDArray[np.float64] | None]:
    row_of = {sample_id: row for row, sample_id in enumerate(stored.sample_ids)}

    def vector_of(sample_id: str) -> NDArray[np.float64] | None:
        row = row_of.get(sample_id)
        return None if row is None else _unit(stored.vectors[row : row + 1])[0].astype(np.float64)

    return vector_of


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
    # In float64, some rows at a time: squares of large features do not overflow. A zero vector stays zero.
    unit = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        wide = vectors[start : start + ROWS_AT_ONCE].astype(np.float64)
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        unit[start : start + ROWS_AT_ONCE] = wide / np.where(lengths > 0, lengths, 1.0)
    return unit


def _write(
    path: Path,
    stored: Embeddings,
    picked: NDArray[np.int64],
    selection: Selection | None,
    config: SelectConfig,
    *,
    round: int,
) -> None:
    columns = {
        "rank": pa.array(range(1, len(picked) + 1), pa.int64()),
        "sample_id": pa.array([stored.sample_ids[row] for row in picked], pa.string()),
        "filename": pa.array([stored.filenames[row] for row in picked], pa.string()),
        "round": pa.array([round] * len(picked), pa.int64()),
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


def _report(config: SelectConfig, choice: _Choice, selection: Selection | None) -> SelectReport:
    num_picked = 0 if selection is None else len(selection.indices)
    figures = {
        "num_selected": float(num_picked),
        "num_pool": float(len(choice.pool)),
        "num_labelled": float(len(choice.labelled)),
        "budget": float(config.budget_cost or config.budget_share or config.budget),
    }
    where = f"the {', '.join(config.splits)} split{'s' if len(config.splits) > 1 else ''}"
    kind = "unlabelled samples" if config.pool == "unlabelled" else "samples"
    if selection is None:
        summary = (
            f"nothing to pick: there are no {kind} in {where}; "
            "set select.splits, or select.pool: all, to pick from others"
        )
    else:
        summary = f"{num_picked} of {len(choice.pool)} {kind} in {where} picked by {selection.strategy}"
        if choice.labelled.size:
            summary += f", with {len(choice.labelled)} labelled samples given"
        if selection.stopped:
            summary += f"; it ended there: {selection.stopped}"
        elif num_picked < config.budget and config.budget_share is None and config.budget_cost is None:
            summary += f"; the budget of {config.budget} is more than there are"
    if choice.num_without_embedding:
        summary += f"\n{choice.num_without_embedding} samples have no embedding yet; run: sslflow embed"
    return SelectReport(summary=summary, figures=figures)
