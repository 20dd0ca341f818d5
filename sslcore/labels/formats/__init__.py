"""Labelling tools, one file each: how samples are written for them and how their labels are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sslcore.labels.exchange import Annotation, HandOver
from sslcore.labels.formats import (
    coco,
    cvat,
    fiftyone,
    folders,
    label_studio,
    lightly,
    tables,
)

__all__ = ["FORMATS", "Writer", "reader_of", "writer_of"]


class Writer(Protocol):
    """Writes what a tool reads into a folder."""

    def __call__(
        self, tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str
    ) -> None:
        """Write ``tasks``; ``classes`` are the known ones, ``image_root`` is put before each file name."""


Reader = Callable[[Path], Iterable[Annotation]]

FORMATS: Mapping[str, str] = {
    "label-studio": "tasks.json with pre-annotations, label_config.xml; reads JSON and JSON-MIN exports",
    "cvat": "annotations.xml (CVAT for images 1.1), with tags and boxes; reads what people made or changed",
    "coco": "annotations.json: images, categories by name, annotations; reads those without a score",
    "fiftyone": "labels.json beside data/ (FiftyOneImageClassificationDataset)",
    "lightly": "filenames.txt and .lightly/predictions; reads a folder of predictions",
    "csv": "labels.csv: sample_id, filename, rank, round, reason, suggestion, score, label",
    "parquet": "labels.parquet, the same columns",
    "folders": "one folder per class; reads where each image lies",
}

_WRITERS: Mapping[str, Writer] = {
    "label-studio": label_studio.write,
    "cvat": cvat.write,
    "coco": coco.write,
    "fiftyone": fiftyone.write,
    "lightly": lightly.write,
    "csv": tables.write_csv,
    "parquet": tables.write_parquet,
    "folders": folders.write,
}
_READERS: Mapping[str, Reader] = {
    "label-studio": label_studio.read,
    "cvat": cvat.read,
    "coco": coco.read,
    "fiftyone": fiftyone.read,
    "lightly": lightly.read,
    "csv": tables.read_csv,
    "parquet": tables.read_parquet,
    "folders": folders.read,
}
_REVIEWED: Mapping[str, Reader] = {"cvat": cvat.read_reviewed, "coco": coco.read_reviewed}


def writer_of(name: str) -> Writer:
    """Return how samples are written for a tool of FORMATS."""
    return _WRITERS[name]


def reader_of(name: str, *, confirmed: bool = False) -> Reader:
    """Return how a tool's labels are read; it raises UserError with the file and the place in it.

    Args:
        name: One of FORMATS.
        confirmed: Whether people have looked at every suggestion, so that those that nobody changed are
            labels too; else they are passed over where the format marks them.
    """
    return _READERS[name] if confirmed else _REVIEWED.get(name, _READERS[name])
