"""Where labels come from: a table, class folders, a pattern of the path, or nowhere."""

import csv
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sslcore.errors import ConfigError, UserError

__all__ = ["LABELS_FILE", "LabelSource", "class_folders", "find_label_source", "read_label_table"]

LABELS_FILE = "labels.csv"
_PLACEHOLDER = "{label}"


@dataclass(frozen=True)
class LabelSource:
    """What gives labels.

    Attributes:
        origin: ``class folders``, a CSV file's name, a pattern, ``targets`` or ``none``.
        table: Labels by name, if they come from a table.
        pattern: What a name must match, if they come from a pattern.
    """

    origin: str
    table: Mapping[str, str] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None

    def label(self, name: str, video: str | None = None) -> str | None:
        """Return the label of an image, or of a frame, which may have its own or its video's.

        Args:
            name: The image's or the frame's name.
            video: The video's name, for a frame. Class folders give frames no label.
        """
        if self.table:
            return self.table.get(name) or self.table.get(video or name)
        if self.pattern is not None:
            match = self.pattern.fullmatch(video or name)
            return match["label"] if match else None
        if self.origin == "class folders" and video is None:
            return posixpath.dirname(name)
        return None


def find_label_source(
    labels: str, *, root: Path, images: Iterable[str], videos: Iterable[str]
) -> LabelSource:
    """Decide where labels come from.

    Args:
        labels: As configured: auto, none, a .csv file, or a pattern with ``{label}``.
        root: The folder that names are relative to.
        images: Names of the images that can be read.
        videos: Names of the videos that can be read.

    Raises:
        ConfigError: If ``labels`` is none of these.
        UserError: If the table is missing or malformed, or the pattern matches nothing.
    """
    if labels == "none":
        return LabelSource("none")
    if labels == "auto":
        if (root / LABELS_FILE).is_file():
            return LabelSource(LABELS_FILE, table=read_label_table(root / LABELS_FILE))
        return LabelSource("class folders" if class_folders(images) else "none")
    if _PLACEHOLDER in labels:
        pattern = _compile(labels)
        names = [*images, *videos]
        if not any(pattern.fullmatch(name) for name in names):
            raise UserError(
                f"ingest.labels '{labels}' matches none of {len(names)} names such as '{min(names)}'; "
                "* and {label} stand for part of one folder or file name, ** for any number of folders"
            )
        return LabelSource(labels, pattern=pattern)
    if labels.lower().endswith(".csv"):
        return LabelSource(labels, table=read_label_table(root / labels))
    raise ConfigError(
        f"ingest.labels must be auto, none, a .csv file in the source, or a pattern with {_PLACEHOLDER} such "
        f"as train/{_PLACEHOLDER}/*, got '{labels}'"
    )


def class_folders(images: Iterable[str]) -> bool:
    """Return whether the folders of images are classes: two or more, with all images just inside them."""
    folders = {posixpath.dirname(name) for name in images}
    return len(folders) >= 2 and all(folder and "/" not in folder for folder in folders)


def _compile(pattern: str) -> re.Pattern[str]:
    if pattern.count(_PLACEHOLDER) != 1:
        raise ConfigError(f"ingest.labels must have {_PLACEHOLDER} once, got '{pattern}'")
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", _PLACEHOLDER: "(?P<label>[^/]+?)"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\{label\})", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)


def read_label_table(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns filename and label; rows without a label are left out.

    Raises:
        UserError: If it is missing, no such table, or gives a file two labels.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read_rows(csv.DictReader(file), path)
    except OSError as error:
        raise UserError(f"labels file {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"labels file {path} is no CSV file in UTF-8: {error}") from error


def _read_rows(reader: "csv.DictReader[str]", path: Path) -> dict[str, str]:
    columns = [column.strip() for column in reader.fieldnames or []]
    if "filename" not in columns or "label" not in columns:
        raise UserError(f"labels file {path} needs the columns filename,label, it has: {','.join(columns)}")
    reader.fieldnames = columns
    table: dict[str, str] = {}
    for row in reader:
        name, label = (row["filename"] or "").strip(), (row["label"] or "").strip()
        if not name or not label:
            continue
        name = posixpath.normpath(name)
        if table.setdefault(name, label) != label:
            raise UserError(f"labels file {path} gives '{name}' two labels: '{table[name]}' and '{label}'")
    return table
