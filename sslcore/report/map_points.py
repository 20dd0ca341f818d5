"""Which samples are on the map, where, and what the page says about each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sslcore.config import ReportConfig
from sslcore.embedding import Embeddings, pca_2d, tsne_2d
from sslcore.errors import UserError

__all__ = ["choose_shown", "map_points"]

MAPS = {"pca": pca_2d, "tsne": tsne_2d}


def choose_shown(manifest: pd.DataFrame, picked: pd.DataFrame, *, max_points: int, seed: int) -> list[int]:
    """Return sorted rows of the manifest: all that were selected, and others at random up to the limit.

    Args:
        manifest: The data set's manifest.
        picked: The selection, which may hold samples that are no longer in the manifest.
        max_points: How many in all; the selected are there even beyond it.
        seed: Of the drawing.
    """
    is_picked = manifest["sample_id"].isin(picked["sample_id"]).to_numpy(dtype=bool)
    others = np.flatnonzero(~is_picked)
    room = max(0, max_points - int(is_picked.sum()))
    drawn = np.random.default_rng(seed).permutation(others)[:room]
    return sorted([*np.flatnonzero(is_picked).tolist(), *drawn.tolist()])


def map_points(
    config: ReportConfig,
    manifest: pd.DataFrame,
    stored: Embeddings,
    picked: pd.DataFrame,
    known: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return a point for each row of the manifest, in its order; the row's number is its tile.

    Args:
        config: Which map.
        manifest: The rows that are shown.
        stored: Embeddings of at least these.
        picked: The selection.
        known: Labels by sample_id.

    Raises:
        UserError: If samples have no embedding.
    """
    row_of = {sample_id: row for row, sample_id in enumerate(stored.sample_ids)}
    ids = manifest["sample_id"].tolist()
    num_missing = sum(sample_id not in row_of for sample_id in ids)
    if num_missing:
        raise UserError(f"{num_missing} samples have no embedding: run 'sslflow embed' first")
    places = _places(config, stored, [row_of[sample_id] for sample_id in ids])
    picks = {row["sample_id"]: row for row in picked.to_dict("records")}
    points = []
    for tile, (row, (x, y)) in enumerate(zip(manifest.to_dict("records"), places, strict=True)):
        point = {"x": x, "y": y, "tile": tile, "name": row["filename"]}
        point |= {"label": known.get(row["sample_id"]), "split": row["split"], "source": row["source"]}
        point["kind"] = row["kind"]
        if pick := picks.get(row["sample_id"]):
            point |= {"rank": pick["rank"], "reason": pick["reason"]}
        points.append(point)
    return points


def _places(config: ReportConfig, stored: Embeddings, rows: Sequence[int]) -> list[tuple[float, float]]:
    """Lay the samples out, scaled into -1 .. 1 and rounded to a fraction of a pixel."""
    places = MAPS[config.map](stored.vectors[np.asarray(rows, dtype=np.int64)], seed=config.seed)
    centre = (places.min(axis=0) + places.max(axis=0)) / 2 if len(places) else 0.0
    half = max(float(np.abs(places - centre).max(initial=0.0)), 1e-9)
    return [(round(x, 4), round(y, 4)) for x, y in ((places - centre) / half).astype(float).tolist()]
