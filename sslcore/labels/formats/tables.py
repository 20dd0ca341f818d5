"""Plain tables, CSV and Parquet: a row per sample, an empty column to fill in."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, HandOver

__all__ = ["cell", "csv_rows", "parquet_rows", "read_csv", "read_parquet", "write_csv", "write_parquet"]

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
    return _annotations(csv_rows(path))


def read_parquet(path: Path) -> Iterator[Annotation]:
    """Yield a Parquet file's rows, as `read_csv` does.

    Raises:
        UserError: If it cannot be read or a column is missing.
    """
    return _annotations(parquet_rows(path))


def csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row of a CSV stands, and its cells by column.

    Raises:
        UserError: If it cannot be read, a column is missing or a row has another number of cells; empty ones
            at its end are passed over.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no CSV (UTF-8) with a header: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        while header and not header[-1]:
            header.pop()
        _check_columns(header, path)
        for cells in reader:
            more = cells[len(header) :]
            place = f"{path}, line {reader.line_num}"
            if any(cell.strip() for cell in cells):
                if len(cells) < len(header) or any(cell.strip() for cell in more):
                    raise UserError(f"{place}: {len(header)} cells expected, got {len(cells)}")
                yield place, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: no valid CSV: {error}") from None


def parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row of a Parquet file stands, and its cells by column.

    Raises:
        UserError: If it cannot be read or a column is missing.
    """
    try:
        table = pq.read_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path} is no Parquet file: {str(error).splitlines()[0]}") from None
    _check_columns(table.column_names, path)
    for number, row in enumerate(table.to_pylist(), 1):
        yield f"{path}, row {number}", row


def _check_columns(header: Sequence[str], path: Path) -> None:
    if "label" not in header or not {"sample_id", "filename"} & set(header):
        shown = ", ".join(header)
        raise UserError(f"{path}: the columns must be label, and sample_id or filename; got {shown}")


def _annotations(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Annotation]:
    for place, row in rows:
        yield Annotation(
            place=place,
            sample_id=cell(row, "sample_id", place),
            filename=cell(row, "filename", place),
            label=cell(row, "label", place) or None,
            annotator=cell(row, "annotator", place),
            when=cell(row, "when", place),
        )


def cell(row: dict[str, Any], name: str, place: str) -> str:
    """Return a cell as text without blanks around it; empty where there is none.

    Raises:
        UserError: If it is neither text nor a number nor a time.
    """
    value = row.get(name)
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float) and value.is_integer():  # pandas makes floats of whole numbers with gaps
        return str(int(value))
    if not isinstance(value, str | int | float | datetime):
        raise UserError(f"{place}: {name} must be text, got {value!r}"[:200])
    return str(value).strip()
