"""FiftyOne: the layout of a FiftyOneImageClassificationDataset, data/ with images and labels.json beside it.

Format: https://docs.voxel51.com/user_guide/import_datasets.html. The key of an image is its path below data/
without the extension; the classification carries ``sample_id``, ``rank``, ``round`` and ``reason``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, HandOver
from sslcore.labels.formats.documents import read_json, require, write_json

__all__ = ["read", "write"]


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write labels.json; images go to ``data/`` beside it (``image_root`` is not used).

    Raises:
        UserError: If two names differ in the extension only, which this layout cannot tell apart.
    """
    labels: dict[str, Any] = {}
    for task in tasks:
        key = str(PurePosixPath(task.filename).with_suffix(""))
        if key in labels:
            raise UserError(
                f"{task.filename}: another image is '{key}' too, and FiftyOne's layout has no extension; "
                "rename one, or use another format"
            )
        suggestion = task.suggestion
        labels[key] = {
            "label": suggestion.label if suggestion else None,
            "confidence": suggestion.score if suggestion else None,
            "attributes": {
                "sample_id": task.sample_id,
                "rank": task.rank,
                "round": task.round,
                "reason": task.reason,
            },
        }
    write_json({"classes": list(classes), "labels": labels}, folder / "labels.json")


def read(path: Path) -> Iterator[Annotation]:
    """Yield an annotation per image with a label; a number is an index into ``classes``.

    Args:
        path: labels.json, or the folder it is in.

    Raises:
        UserError: If it is no such file.
    """
    path = path / "labels.json" if path.is_dir() else path
    document = read_json(path, dict, "labels.json of FiftyOne")
    classes = document.get("classes") or []
    for key, said in dict(require(document, "labels", str(path))).items():
        place = f"{path}, '{key}'"
        attributes: dict[str, Any] = {}
        if isinstance(said, dict):
            attributes, said = said.get("attributes") or {}, said.get("label")
        if isinstance(said, int):
            if not 0 <= said < len(classes):
                raise UserError(f"{place}: class {said}, but there are {len(classes)} classes")
            said = classes[said]
        if said is not None:
            sample_id = str(attributes.get("sample_id", ""))
            yield Annotation(place=place, sample_id=sample_id, filename=key, label=str(said))
