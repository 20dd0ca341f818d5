"""Plain tables, CSV and Parquet: a row per sample, an empty column to fill in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, HandOver

__all__ = ["read_csv", "read_parquet", "write_csv", "write_parquet"]

COLUMNS = ("sample_id", "filename", "rank", "round", "reason", "suggestion", "score", "label")


def write_csv(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write labels.csv (UTF-8); classes are not in it."""
    _table(tasks, image_root).to_csv(folder / "labels.csv", index=False, lineterminator="\n")


def write_parquet(
    tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str
) -> None:
    """Write labels.parquet; classes are not in it."""
    _table(tasks, image_root).to_parquet(folder / "labels.parquet", index=False)


def _table(tasks: Sequence[HandOver], image_root: str) -> pd.DataFrame:
    rows = [
        {
            "sample_id": task.sample_id,
            "filename": image_root + task.filename,
            "rank": task.rank,
            "round": task.round,
            "reason": task.reason,
            "suggestion": task.suggestion.label if task.suggestion else None,
            "score": task.suggestion.score if task.suggestion else None,
            "label": None,
        }
        for task in tasks
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"suggestion": "string", "score": "float64", "label": "string"}
    )


def read_csv(path: Path) -> Iterator[Annotation]:
    """Yield a CSV's rows; an empty label is one that is not there yet.

    Columns: ``label``, and ``sample_id`` or ``filename``; ``annotator`` and ``when`` if several people said.

    Raises:
        UserError: If it cannot be read or a column is missing.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # pandas' ParserError and UnicodeDecodeError are ValueErrors
        raise UserError(f"{path} is no CSV (UTF-8) with a header: {' '.join(str(error).split())}") from None
    return _annotations(table, path, first_line=2, unit="line")


def read_parquet(path: Path) -> Iterator[Annotation]:
    """Yield a Parquet file's rows, as `read_csv` does.

    Raises:
        UserError: If it cannot be read or a column is missing.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no Parquet file: {str(error).splitlines()[0]}") from None
    return _annotations(table, path, first_line=1, unit="row")


def _annotations(table: pd.DataFrame, path: Path, *, first_line: int, unit: str) -> Iterator[Annotation]:
    if "label" not in table or not {"sample_id", "filename"} & set(table.columns):
        shown = ", ".join(map(str, table.columns))
        raise UserError(f"{path}: the columns must be label, and sample_id or filename; got {shown}")
    for line, row in enumerate(table.to_dict("records"), first_line):
        label = _text(row, "label")
        yield Annotation(
            place=f"{path}, {unit} {line}",
            sample_id=_text(row, "sample_id"),
            filename=_text(row, "filename"),
            label=label or None,
            annotator=_text(row, "annotator"),
            when=_text(row, "when"),
            skipped=not label,
        )


def _text(row: dict[Any, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or pd.isna(value) else str(value).strip()
