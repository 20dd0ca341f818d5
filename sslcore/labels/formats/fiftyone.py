"""FiftyOne: the layout of a FiftyOneImageClassificationDataset, data/ with images and labels.json beside it.

Format: https://docs.voxel51.com/user_guide/import_datasets.html. The key of an image is its path below data/
without the extension; the classification carries ``sample_id``, ``rank``, ``round`` and ``reason``. A sample
without one is plain null, which is all that FiftyOne takes for unlabelled, and is known by its name.

The layout does not say who gave a label: a suggestion that nobody looked at comes back as a label.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, HandOver
from sslcore.labels.formats.documents import class_name, of_kind, read_json, require, write_json

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
        labels[key] = _classification(task)
    write_json({"classes": list(classes), "labels": labels}, folder / "labels.json")


def _classification(task: HandOver) -> dict[str, Any] | None:
    if task.suggestion is None or task.suggestion.label is None:
        return None
    return {
        "label": task.suggestion.label,
        "confidence": task.suggestion.score,
        "attributes": {
            "sample_id": task.sample_id,
            "rank": task.rank,
            "round": task.round,
            "reason": task.reason,
        },
    }


def read(path: Path) -> Iterator[Annotation]:
    """Yield an annotation per image with a label; a number is an index into ``classes``.

    Args:
        path: labels.json, or the folder it is in.

    Raises:
        UserError: If it is no such file.
    """
    path = path / "labels.json" if path.is_dir() else path
    document = read_json(path, dict, "labels.json of FiftyOne")
    classes = of_kind(document.get("classes") or [], list, f"{path}: 'classes'")
    for key, said in require(document, "labels", str(path), dict).items():
        place = f"{path}, {key!r}"
        attributes: dict[str, Any] = {}
        if isinstance(said, dict):
            attributes = of_kind(said.get("attributes") or {}, dict, f"{place}: 'attributes'")
            said = said.get("label")
        if said is not None:
            sample_id = str(attributes.get("sample_id") or "")
            yield Annotation(
                place=place, sample_id=sample_id, filename=key, label=_label(said, classes, place)
            )


def _label(said: Any, classes: list[Any], place: str) -> str:
    if isinstance(said, list):
        raise UserError(
            f"{place}: a list of labels (Classifications); a sample has one label: export a field of one "
            "Classification"
        )
    if isinstance(said, int) and not isinstance(said, bool):
        if not 0 <= said < len(classes):
            raise UserError(f"{place}: class {said}, but there are {len(classes)} classes")
        return class_name(classes[said], f"{place}: class {said}")
    return class_name(said, place)
