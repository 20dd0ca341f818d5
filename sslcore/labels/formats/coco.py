"""COCO: images, categories by name, annotations. https://cocodataset.org/#format-data.

An annotation without ``bbox`` is a label of the whole image, one with it a box; ``bbox`` is left, top, width,
height in pixels. ``sample_id`` stands beside each image.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver
from sslcore.labels.formats.documents import make_box, read_json, require, write_json

__all__ = ["read", "write"]


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
    """Yield an annotation per image that has any.

    Raises:
        UserError: If it is no COCO file, or an image has two labels.
    """
    document = read_json(path, dict, "COCO file")
    names = {
        require(each, "id", f"{path}, categories"): str(require(each, "name", f"{path}, categories"))
        for each in require(document, "categories", str(path))
    }
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for each in require(document, "annotations", str(path)):
        of_image[require(each, "image_id", f"{path}, annotations")].append(each)
    for image in require(document, "images", str(path)):
        place = f"{path}, image {require(image, 'id', f'{path}, images')}"
        said = of_image.pop(image["id"], [])
        if said:
            yield _annotation(image, said, names, place)
    if of_image:
        raise UserError(f"{path}: annotations of image {next(iter(of_image))}, which is not among its images")


def _annotation(
    image: dict[str, Any], said: list[dict[str, Any]], names: dict[Any, str], place: str
) -> Annotation:
    labels, boxes = set[str](), list[Box]()
    for each in said:
        category = require(each, "category_id", place)
        if category not in names:
            raise UserError(f"{place}: category {category} is not among the categories")
        box = each.get("bbox")
        if not box:
            labels.add(names[category])
        else:
            boxes.append(make_box(names[category], box, each.get("score"), place))
    if len(labels) > 1:
        raise UserError(f"{place}: labelled {', '.join(sorted(labels))}; a sample has one label")
    return Annotation(
        place=place,
        sample_id=str(image.get("sample_id", "")),
        filename=str(require(image, "file_name", place)),
        label=next(iter(labels), None),
        boxes=tuple(boxes),
    )
