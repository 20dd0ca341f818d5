"""What the page shows, gathered from the outputs of the other stages as plain JSON."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from sslcore.backbones import read_model_info
from sslcore.config import ReportConfig
from sslcore.data import SampleDataset
from sslcore.embedding import read_embeddings
from sslcore.errors import UserError
from sslcore.labels import read_labels
from sslcore.monitor import Monitor
from sslcore.report.atlas import make_atlas
from sslcore.report.map_points import choose_shown, map_points

__all__ = ["gather"]

MOST_LARGE = 400
"""Selected samples, the first ones, that get a thumbnail of twice the size: some 4 kB each."""


def gather(
    config: ReportConfig,
    *,
    dataset: Path,
    backbone: Path,
    embeddings: Path,
    metrics: Path,
    plots: Path,
    selection: Path,
    labels: Path,
    monitor: Monitor,
) -> dict[str, Any]:
    """Return all that the page shows.

    Raises:
        UserError: If an input is missing or cannot be used; names it and the stage that makes it.
    """
    samples = SampleDataset(dataset)
    info = read_model_info(backbone)
    stored = read_embeddings(embeddings)
    measured = _read_json(metrics, stage="evaluate")
    picked = _read_table(selection / "selection.parquet", stage="select").sort_values("rank")
    known = read_labels(labels, samples.manifest)
    shown = choose_shown(samples.manifest, picked, max_points=config.max_points, seed=config.seed)
    points = map_points(config, samples.manifest.iloc[shown], stored, picked, known)
    row_of = {sample_id: row for row, sample_id in enumerate(samples.manifest["sample_id"])}
    large = [row_of[each] for each in picked["sample_id"] if each in row_of][:MOST_LARGE]
    size = config.thumbnail_size
    content = {
        "title": config.title,
        "model": info.model_dump(mode="json"),
        "dataset": _read_json(dataset / "dataset.json", stage="ingest"),
        "numLabelled": len(known),
        "warnings": list(_mismatches(info.model_id, stored.model_id, measured, selection)),
        "metrics": measured,
        "history": _history(backbone / "history.csv"),
        "confusion": _confusion(plots / "confusion.csv"),
        "atlas": make_atlas(samples, shown, tile_size=size, monitor=monitor).as_json(),
        "largeAtlas": make_atlas(samples, large, tile_size=2 * size).as_json(),
        "map": {"kind": config.map, "numSamples": len(samples), "points": points},
        "strategy": _metadata(selection).get(b"sslflow.strategy", b"an unnamed strategy").decode(),
        "selection": _selection(
            picked, {samples.manifest["sample_id"][row]: t for t, row in enumerate(large)}
        ),
        "quarantine": _records(
            _read_table(dataset / "quarantine.parquet", stage="ingest").sort_values("path")
        ),
    }
    return dict(_without_nan(content))


def _mismatches(
    model_id: str, embedded_by: str, measured: Mapping[str, Any], selection: Path
) -> Iterator[str]:
    """Say which outputs are of another model than the backbone, as happens when stages are run by hand."""
    selected_by = _metadata(selection).get(b"sslflow.model_id", model_id.encode()).decode()
    made = {"embed": embedded_by, "evaluate": measured.get("model_id", model_id), "select": selected_by}
    for stage, other in made.items():
        if other != model_id:
            yield f"{stage}: made with model {other}, not with {model_id}; run 'sslflow {stage}' again."


def _metadata(selection: Path) -> Mapping[bytes, bytes]:
    return pq.read_schema(selection / "selection.parquet").metadata or {}


def _selection(picked: pd.DataFrame, large: Mapping[str, int]) -> list[dict[str, Any]]:
    names = {"rank": "rank", "filename": "name", "reason": "reason"}
    rows = _records(picked[[*names]].rename(columns=names))
    tiles = [large.get(sample_id) for sample_id in picked["sample_id"]]
    return [row | {"large": tile} for row, tile in zip(rows, tiles, strict=True)]


def _history(path: Path) -> list[dict[str, float]]:
    """Read the numbers of each epoch; what was not measured is left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def _confusion(path: Path) -> dict[str, Any] | None:
    """Count actual against predicted, rows being actual; None without test labels."""
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if table.empty:
        return None
    classes = sorted({*table["actual"], *table["predicted"]})
    counts = Counter(zip(table["actual"], table["predicted"], strict=True))
    return {"classes": classes, "counts": [[counts[a, p] for p in classes] for a in classes]}


def _read_table(path: Path, *, stage: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run 'sslflow {stage}' first") from None
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _read_json(path: Path, *, stage: str) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run 'sslflow {stage}' first") from None
    except ValueError as error:
        raise UserError(f"{path} is no JSON object: {error}") from None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _without_nan(value: Any) -> Any:
    """Replace what JSON in a browser has no word for (NaN, infinity) by null."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
