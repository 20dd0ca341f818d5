"""What the page shows, gathered from the outputs of the other stages as plain JSON."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslcore.backbones import read_model_info
from sslcore.config import ReportConfig
from sslcore.data import SampleDataset
from sslcore.embedding import pca_2d, read_embeddings, tsne_2d
from sslcore.errors import UserError
from sslcore.labels import read_labels
from sslcore.monitor import Monitor
from sslcore.report.atlas import make_atlas

__all__ = ["gather"]

MAPS = {"pca": pca_2d, "tsne": tsne_2d}


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
        UserError: If an input is missing or does not belong to the others.
    """
    info = read_model_info(backbone)
    samples = SampleDataset(dataset)
    picked = pd.read_parquet(selection / "selection.parquet")
    quarantine = pd.read_parquet(dataset / "quarantine.parquet")
    known = read_labels(labels, samples.manifest)
    shown = _shown_samples(config, samples.manifest, picked)
    points, tiles = _points(config, samples, embeddings, shown, picked, known)
    atlas = make_atlas(samples, shown, tile_size=config.thumbnail_size, monitor=monitor)
    return {
        "title": config.title,
        "modelId": info.model_id,
        "dataset": json.loads((dataset / "dataset.json").read_text(encoding="utf-8")),
        "model": info.model_dump(mode="json"),
        "numLabelled": len(known),
        "metrics": json.loads(metrics.read_text(encoding="utf-8")),
        "history": _rows(backbone / "history.csv"),
        "confusion": _confusion(plots / "confusion.csv"),
        "atlas": atlas.as_json(),
        "map": {"kind": config.map, "numSamples": len(samples), "points": points},
        "selection": _selection(picked, tiles),
        "quarantine": quarantine.sort_values("path").to_dict("records"),
    }


def _shown_samples(config: ReportConfig, manifest: pd.DataFrame, picked: pd.DataFrame) -> list[int]:
    """Return rows of the manifest: all that were selected, and others at random up to the limit."""
    is_picked = manifest["sample_id"].isin(picked["sample_id"]).to_numpy(dtype=bool)
    others = np.flatnonzero(~is_picked)
    room = max(0, config.max_points - int(is_picked.sum()))
    drawn = np.random.default_rng(config.seed).permutation(others)[:room]
    return sorted([*np.flatnonzero(is_picked).tolist(), *drawn.tolist()])


def _points(
    config: ReportConfig,
    samples: SampleDataset,
    embeddings: Path,
    shown: list[int],
    picked: pd.DataFrame,
    known: Mapping[str, str],
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    stored = read_embeddings(embeddings)
    row_of = {sample_id: row for row, sample_id in enumerate(stored.sample_ids)}
    manifest = samples.manifest.iloc[shown]
    ids = manifest["sample_id"].tolist()
    missing = [sample_id for sample_id in ids if sample_id not in row_of]
    if missing:
        raise UserError(f"{len(missing)} samples have no embedding: run 'sslflow embed' first")
    places = MAPS[config.map](stored.vectors[[row_of[each] for each in ids]], seed=config.seed)
    ranks = dict(zip(picked["sample_id"], picked["rank"].tolist(), strict=True))
    reasons = dict(zip(picked["sample_id"], picked["reason"], strict=True))
    points = []
    for tile, (row, place) in enumerate(zip(manifest.to_dict("records"), places.tolist(), strict=True)):
        sample_id = row["sample_id"]
        point = {"x": round(place[0], 4), "y": round(place[1], 4), "tile": tile, "name": row["filename"]}
        point |= {"label": known.get(sample_id), "split": row["split"], "kind": row["kind"]}
        if sample_id in ranks:
            point |= {"rank": ranks[sample_id], "reason": reasons[sample_id]}
        points.append(point)
    return points, {sample_id: tile for tile, sample_id in enumerate(ids)}


def _selection(picked: pd.DataFrame, tiles: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "rank": row["rank"],
            "name": row["filename"],
            "reason": row["reason"],
            "tile": tiles.get(row["sample_id"]),
        }
        for row in picked.sort_values("rank").to_dict("records")
    ]


def _rows(path: Path) -> list[dict[str, float]]:
    """Read a table of numbers; what is empty is left out."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def _confusion(path: Path) -> dict[str, Any] | None:
    """Count actual against predicted; None without test labels."""
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if table.empty:
        return None
    classes = sorted({*table["actual"], *table["predicted"]})
    counts = Counter(zip(table["actual"], table["predicted"], strict=True))
    return {"classes": classes, "counts": [[counts[a, p] for p in classes] for a in classes]}
