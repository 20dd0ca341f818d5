"""Tables of labels by filename: CSV, Parquet, and the JSON of COCO."""

import csv
import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sslcore.errors import UserError

__all__ = ["TABLE_SUFFIXES", "read_coco", "read_label_table"]

TABLE_SUFFIXES = (".csv", ".parquet", ".json")


def read_label_table(path: Path) -> dict[str, str]:
    """Read a CSV or Parquet file with the columns filename and label; rows without a label are left out.

    Raises:
        UserError: If it is missing, no such table, or gives a file two labels.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return _table(_parquet_rows(path), path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _table(_csv_rows(csv.DictReader(file, strict=True), path), path)
    except OSError as error:
        raise UserError(f"labels file {path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"labels file {path} is no CSV file in UTF-8: {error}") from error
    except pa.ArrowException as error:
        raise UserError(f"labels file {path} is no Parquet file: {str(error).splitlines()[0]}") from error


def _csv_rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[tuple[str, str]]:
    columns = [column.strip() for column in reader.fieldnames or []]
    _require(columns, path)
    reader.fieldnames = columns
    for row in reader:
        if any(cell.strip() for cell in row.get(None) or ()):
            raise UserError(
                f"labels file {path}, line {reader.line_num}: more cells than columns; "
                "put a cell that holds a comma in quotes"
            )
        yield (row["filename"] or "").strip(), (row["label"] or "").strip()


def _parquet_rows(path: Path) -> Iterator[tuple[str, str]]:
    file = pq.ParquetFile(path)
    _require(file.schema_arrow.names, path)
    table = file.read(columns=["filename", "label"])
    for name, label in zip(
        table.column("filename").to_pylist(), table.column("label").to_pylist(), strict=True
    ):
        if isinstance(name, bytes) or isinstance(label, bytes | list | dict):
            raise UserError(f"labels file {path}: filename and label must be text or numbers, got {label!r}")
        yield str(name or "").strip(), "" if label is None else str(label).strip()


def _require(columns: list[str], path: Path) -> None:
    if "filename" not in columns or "label" not in columns:
        raise UserError(f"labels file {path} needs the columns filename,label, it has: {','.join(columns)}")


def _table(rows: Iterable[tuple[str, str]], path: Path) -> dict[str, str]:
    table: dict[str, str] = {}
    for name, label in rows:
        if not name or not label:
            continue
        name = posixpath.normpath(name)
        if table.setdefault(name, label) != label:
            raise UserError(f"labels file {path} gives '{name}' two labels: '{table[name]}' and '{label}'")
    return table


def read_coco(path: Path, names: Iterable[str]) -> tuple[dict[str, str], int]:
    """Read the annotations of COCO: an image's label is the name of its category.

    Of an image with several categories it is the one with the most annotations, and of equally many the
    first by name. Its ``file_name`` is taken relative to the source; one that is not there is looked for by
    its last part, if only one file of the source has that.

    Args:
        path: The JSON file.
        names: Of the files in the source.

    Returns:
        Labels by name, and how many images have several categories.

    Raises:
        UserError: If it cannot be read, or is no such file.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
        categories = {each["id"]: str(each["name"]) for each in content["categories"]}
        images = {each["id"]: posixpath.normpath(str(each["file_name"])) for each in content["images"]}
        found: dict[str, Counter[str]] = {}
        for each in content["annotations"]:
            found.setdefault(images[each["image_id"]], Counter())[categories[each["category_id"]]] += 1
    except OSError as error:
        raise UserError(f"labels file {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"labels file {path} is no COCO file with images, annotations and categories "
            f"({type(error).__name__}: {error})"
        ) from error
    places = _places(names)
    table = {
        places.get(name) or places.get(posixpath.basename(name)) or name: min(
            counts, key=lambda label: (-counts[label], label)
        )
        for name, counts in found.items()
    }
    return table, sum(len(counts) > 1 for counts in found.values())


def _places(names: Iterable[str]) -> dict[str, str]:
    """Return the names by themselves, and by their last part where no other has it."""
    names = list(names)
    last = Counter(posixpath.basename(name) for name in names)
    places = {posixpath.basename(name): name for name in names if last[posixpath.basename(name)] == 1}
    return {**places, **{name: name for name in names}}
