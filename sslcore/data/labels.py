"""Where labels come from: a table, class folders, a pattern of the path, or nowhere."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sslcore.data.label_files import TABLE_SUFFIXES, read_coco, read_label_table
from sslcore.errors import ConfigError, UserError

__all__ = [
    "LABELS_FILE",
    "LABELS_FILES",
    "LabelSource",
    "class_folders",
    "find_label_source",
    "read_label_table",
]

LABELS_FILE = "labels.csv"
LABELS_FILES = (LABELS_FILE, "labels.parquet")
_PLACEHOLDER = "{label}"
_IN_A_FOLDER = r"^[^/]+/+[^/]*$"
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class LabelSource:
    """What gives labels.

    Attributes:
        origin: ``class folders``, a table's name, a pattern, ``targets`` or ``none``.
        table: Labels by name, if they come from a table.
        pattern: What a name must match, if they come from a pattern.
        notes: What a person should know of them.
    """

    origin: str
    table: Mapping[str, str] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    notes: tuple[str, ...] = ()

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

    def labels_of_images(self, names: pa.StringArray) -> pa.StringArray:
        """Return the labels of many images, null where there is none; see `label`."""
        if self.table:
            keys = pa.array(list(self.table), pa.string())
            values = pa.array(list(self.table.values()), pa.string())
            return values.take(pc.index_in(names, value_set=keys))
        if self.pattern is not None:
            parts = [names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE)]
            found = [pa.array(map(self.label, part.to_pylist()), pa.string()) for part in parts]
            return pa.concat_arrays([pa.array([], pa.string()), *found])
        if self.origin == "class folders":
            return _first_parts(names)
        return pa.nulls(len(names), pa.string())


def find_label_source(
    labels: str, *, root: Path, images: pa.StringArray, videos: Iterable[str]
) -> LabelSource:
    """Decide where labels come from.

    Args:
        labels: As configured: auto, none, a .csv, .parquet or .json file, or a pattern with ``{label}``.
        root: The folder that names are relative to.
        images: Names of the images that can be read, string [N].
        videos: Names of the videos that can be read.

    Raises:
        ConfigError: If ``labels`` is none of these.
        UserError: If the table is missing or malformed, or the pattern matches nothing.
    """
    if labels == "none":
        return LabelSource("none")
    if labels == "auto":
        for name in LABELS_FILES:
            if (root / name).is_file():
                return LabelSource(name, table=read_label_table(root / name))
        return LabelSource("class folders" if class_folders(images) else "none")
    if _PLACEHOLDER in labels:
        pattern = _compile(labels)
        names = pa.concat_arrays([images, pa.array(list(videos), pa.string())])
        if not any(pattern.fullmatch(name.as_py()) for name in names):
            raise UserError(
                f"ingest.labels '{labels}' matches none of {len(names)} names such as "
                f"'{min(names.to_pylist())}'; "
                "* and {label} stand for part of one folder or file name, ** for any number of folders"
            )
        return LabelSource(labels, pattern=pattern)
    if labels.lower().endswith(".json"):
        table, several = read_coco(root / labels, [*images.to_pylist(), *videos])
        note = f"{several} images have several categories, the most frequent is taken"
        return LabelSource(labels, table=table, notes=(note,) if several else ())
    if labels.lower().endswith(TABLE_SUFFIXES):
        return LabelSource(labels, table=read_label_table(root / labels))
    raise ConfigError(
        "ingest.labels must be auto, none, a .csv, .parquet or (COCO) .json file in the source, or a pattern "
        f"with {_PLACEHOLDER} such as train/{_PLACEHOLDER}/*, got '{labels}'"
    )


def class_folders(images: Iterable[str] | pa.StringArray) -> bool:
    """Return whether the folders of images are classes: two or more, with all images just inside them."""
    names = images if isinstance(images, pa.Array) else pa.array(list(images), pa.string())
    if not len(names) or not pc.all(pc.match_substring_regex(names, _IN_A_FOLDER)).as_py():
        return False
    return len(_first_parts(names).unique()) >= 2


def _first_parts(names: pa.StringArray) -> pa.StringArray:
    """Return what stands before the first slash."""
    parts = (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
    found = [pa.array([name.partition("/")[0] for name in part.to_pylist()], pa.string()) for part in parts]
    return pa.concat_arrays([pa.array([], pa.string()), *found])


def _compile(pattern: str) -> re.Pattern[str]:
    if pattern.count(_PLACEHOLDER) != 1:
        raise ConfigError(f"ingest.labels must have {_PLACEHOLDER} once, got '{pattern}'")
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", _PLACEHOLDER: "(?P<label>[^/]+?)"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\{label\})", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)
