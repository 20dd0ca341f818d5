"""COCO: images, categories by name, annotations. https://cocodataset.org/#format-data.

An annotation without ``bbox`` is a label of the whole image, one with it a box; ``bbox`` is left, top, width,
height in pixels. ``sample_id`` stands beside each image. An annotation with a ``score``, even null, is a
model's: so the export writes suggestions, and an import passes over them until the score is left out.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver
from sslcore.labels.formats.documents import class_name, make_box, of_kind, read_json, require, write_json

__all__ = ["class_names", "id_of", "read", "read_reviewed", "write"]

Id = int | float | str

logger = logging.getLogger(__name__)


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write annotations.json, with suggestions as annotations that carry a score."""
    number_of = {name: number for number, name in enumerate(classes, 1)}
    images, annotations = [], list[dict[str, Any]]()
    for number, task in enumerate(tasks, 1):
        images.append(
            {
                "id": number,
                "file_name": image_root + task.filename,
                "width": task.width,
                "height": task.height,
                "sample_id": task.sample_id,
                "rank": task.rank,
                "round": task.round,
                "reason": task.reason,
            }
        )
        for said in _suggested(task):
            label = said.pop("label")
            item = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(item | {"category_id": number_of.setdefault(label, len(number_of) + 1)} | said)
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    info = {"description": "samples to label, selected by sslflow"}
    content = {"info": info, "images": images, "annotations": annotations, "categories": categories}
    write_json(content, folder / "annotations.json")


def _suggested(task: HandOver) -> Iterator[dict[str, Any]]:
    if task.suggestion is None:
        return
    if task.suggestion.label is not None:
        yield {"label": task.suggestion.label, "score": task.suggestion.score, "iscrowd": 0}
    for box in task.suggestion.boxes:
        place = [box.left, box.top, box.width, box.height]
        area = box.width * box.height
        yield {"label": box.label, "bbox": place, "area": area, "iscrowd": 0, "score": box.score}


def read(path: Path) -> Iterator[Annotation]:
    """Yield an annotation per image that has any, a model's included.

    Raises:
        UserError: If it is no COCO file, or an image has two labels.
    """
    return _read(path, reviewed=False)


def read_reviewed(path: Path) -> Iterator[Annotation]:
    """Yield what people said, as `read` does: annotations with a score are passed over.

    Raises:
        UserError: If it is no COCO file, or an image has two labels.
    """
    return _read(path, reviewed=True)


def _read(path: Path, *, reviewed: bool) -> Iterator[Annotation]:
    document = read_json(path, dict, "COCO file")
    names = class_names(document, str(path))
    of_image: dict[Id, list[dict[str, Any]]] = defaultdict(list)
    num_guesses = 0
    for each in require(document, "annotations", str(path), list):
        place = f"{path}, annotations"
        of_image[id_of(each, "image_id", place)].append(each)
        num_guesses += reviewed and "score" in each
    for image in require(document, "images", str(path), list):
        number = id_of(image, "id", f"{path}, images")
        said = of_image.pop(number, [])
        if reviewed:
            said = [each for each in said if "score" not in each]
        if said:
            yield _annotation(image, said, names, f"{path}, image {number!r}")
    if of_image:
        raise UserError(
            f"{path}: annotations of image {next(iter(of_image))!r}, which is not among its images"
        )
    if num_guesses:
        message = "%d annotations in %s have a score, as a model's have; passed over unless --confirmed"
        logger.info(message, num_guesses, path)


def class_names(document: dict[str, Any], place: str) -> dict[Id, str]:
    """Return the names of a document's ``categories`` by id.

    Raises:
        UserError: If they are none; names the place.
    """
    items = require(document, "categories", place, list)
    place = f"{place}, categories"
    return {
        id_of(each, "id", place): class_name(require(each, "name", place), f"{place}, id {each['id']!r}")
        for each in items
    }


def id_of(item: Any, key: str, place: str) -> Id:
    """Return ``item[key]``, a number or a text.

    Raises:
        UserError: If it is none; names the place.
    """
    found = require(item, key, place)
    if not isinstance(found, int | float | str):
        raise UserError(f"{place}: '{key}' must be a number or a text, got {found}")
    return found


def _annotation(
    image: dict[str, Any], said: list[dict[str, Any]], names: dict[Id, str], place: str
) -> Annotation:
    labels, boxes = set[str](), list[Box]()
    for each in said:
        category = id_of(each, "category_id", place)
        if category not in names:
            raise UserError(f"{place}: category {category!r} is not among the categories")
        box = of_kind(each.get("bbox") or [], list, f"{place}: 'bbox'")
        if not box:
            labels.add(names[category])
        else:
            boxes.append(make_box(names[category], box, each.get("score"), place))
    if len(labels) > 1:
        raise UserError(f"{place}: labelled {', '.join(sorted(labels))}; a sample has one label")
    return Annotation(
        place=place,
        sample_id=str(image.get("sample_id") or ""),
        filename=require(image, "file_name", place, str),
        label=next(iter(labels), None),
        boxes=tuple(boxes),
        size=_size(image),
    )


def _size(image: dict[str, Any]) -> tuple[float, float] | None:
    width, height = image.get("width"), image.get("height")
    if not isinstance(width, int | float) or not isinstance(height, int | float):
        return None
    return (width, height) if 0 < width < math.inf and 0 < height < math.inf else None
