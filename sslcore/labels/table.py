"""One CSV file of labels: which columns it may have, and one line on what is wrong with it."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sslcore.choices import suggestion
from sslcore.errors import UserError

__all__ = ["LabelRow", "read_label_table"]

COLUMNS = ("filename", "sample_id", "label", "round")


@dataclass(frozen=True)
class LabelRow:
    """A line of the file; an absent column or empty cell is an empty string."""

    line: int
    """Line number in the file, the header being line 1."""
    filename: str
    """Name of the sample below its source."""
    sample_id: str
    """Id of the sample; wins over the name."""
    label: str
    """The class, never empty."""
    round: int | None
    """Which round of labelling it came with, from 1; None where the file does not say."""


def read_label_table(path: Path) -> Iterator[LabelRow]:
    """Yield the rows of a CSV file with the columns ``filename`` or ``sample_id``, and ``label``.

    The column ``round`` may be there too. UTF-8, with or without a byte order mark; empty lines and spaces
    around a cell are passed over.

    Args:
        path: The file.

    Raises:
        UserError: If the file is not such a CSV; names the file and the line.
    """
    try:
        # Read whole: a label file is small, and a byte that is not UTF-8 must not surface half way.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as CSV (UTF-8)") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, path)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(header, cells, path, reader.line_num)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from None


def _check_header(header: Sequence[str], path: Path) -> None:
    where = f"{path}, line 1"
    if not any(header):
        raise UserError(f"{where}: no header; the first line must be filename,label or sample_id,label")
    for name in header:
        if name not in COLUMNS:
            known = suggestion(name, COLUMNS) or f"; known: {', '.join(COLUMNS)}"
            raise UserError(f"{where}: unknown column '{name}'{known}")
    if len(set(header)) < len(header):
        raise UserError(f"{where}: a column is there twice: {','.join(header)}")
    if "label" not in header:
        raise UserError(f"{where}: no column 'label'; the first line must be filename,label")
    if "filename" not in header and "sample_id" not in header:
        raise UserError(
            f"{where}: no column 'filename' or 'sample_id'; the first line must be filename,label"
        )


def _row(header: Sequence[str], cells: Sequence[str], path: Path, line: int) -> LabelRow:
    if len(cells) != len(header):
        raise UserError(
            f"{path}, line {line}: {len(header)} cells expected ({','.join(header)}), got {len(cells)}"
        )
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    filename, sample_id = values.get("filename", ""), values.get("sample_id", "")
    if not filename and not sample_id:
        raise UserError(f"{path}, line {line}: neither a filename nor a sample_id")
    if not values["label"]:
        raise UserError(
            f"{path}, line {line}: no label for '{sample_id or filename}'; delete the line or fill it in"
        )
    return LabelRow(
        line=line,
        filename=filename,
        sample_id=sample_id,
        label=values["label"],
        round=_round(values.get("round", ""), path, line),
    )


def _round(text: str, path: Path, line: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UserError(f"{path}, line {line}: round must be a whole number from 1 on, got '{text}'")
    return int(text)
