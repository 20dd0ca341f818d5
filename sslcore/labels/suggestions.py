"""What a model thinks of samples, from a file: a table of classes, or a COCO file with boxes."""

from pathlib import Path
from typing import Any

import pandas as pd

from sslcore.errors import UserError
from sslcore.labels.exchange import Suggestion
from sslcore.labels.formats import coco
from sslcore.labels.formats.documents import number
from sslcore.labels.formats.tables import cell, csv_rows, parquet_rows
from sslcore.labels.names import SampleNames

__all__ = ["read_suggestions"]


def read_suggestions(path: Path, manifest: pd.DataFrame) -> dict[str, Suggestion]:
    """Read suggestions by sample_id; rows of other samples are passed over.

    Args:
        path: A .csv or .parquet with ``sample_id`` or ``filename``, ``label``, and if known ``score`` (0 to
            1) and ``model``; or a .json in COCO's format, whose annotations with ``bbox`` are boxes.
        manifest: The data set's.

    Raises:
        UserError: If it cannot be read or a column is missing.
    """
    known, names = set(manifest["sample_id"]), SampleNames(manifest)
    found: dict[str, Suggestion] = {}
    if path.suffix == ".json":
        for said in coco.read(path):
            key = said.sample_id if said.sample_id in known else names.find(said.filename)
            if key is not None:
                found[key] = Suggestion(label=said.label, boxes=said.boxes)
        return found
    for place, row in parquet_rows(path) if path.suffix == ".parquet" else csv_rows(path):
        given = cell(row, "sample_id", place)
        key = given if given in known else names.find(cell(row, "filename", place))
        if key is not None and (label := cell(row, "label", place)):
            found[key] = Suggestion(label, _score(row, place), model=cell(row, "model", place))
    return found


def _score(row: dict[str, Any], place: str) -> float | None:
    text = cell(row, "score", place)
    if not text:
        return None
    score = number(text, place)
    if not 0 <= score <= 1:
        raise UserError(f"{place}: a score must be 0 to 1, got {text}")
    return score
