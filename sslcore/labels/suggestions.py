"""What a model thinks of samples, from a file: a table of classes, or a COCO file with boxes."""

from pathlib import Path

import pandas as pd

from sslcore.errors import UserError
from sslcore.labels.exchange import Suggestion
from sslcore.labels.formats import coco
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
    for row in _table(path).to_dict("records"):
        given = str(row.get("sample_id", ""))
        key = given if given in known else names.find(str(row.get("filename", "")))
        if key is not None and not pd.isna(row["label"]):
            score, model = row.get("score"), row.get("model")
            found[key] = Suggestion(
                label=str(row["label"]),
                score=None if score is None or pd.isna(score) else float(score),
                model="" if model is None or pd.isna(model) else str(model),
            )
    return found


def _table(path: Path) -> pd.DataFrame:
    try:
        table = (
            pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"label": str})
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no table of suggestions: {str(error).splitlines()[0]}") from None
    if "label" not in table or not {"sample_id", "filename"} & set(table.columns):
        shown = ", ".join(map(str, table.columns))
        raise UserError(f"{path}: the columns must be label, and sample_id or filename; got {shown}")
    return table
