"""Label Studio: tasks with pre-annotations out, exports with several annotations, skips and edits back.

Format: https://labelstud.io/guide/tasks and https://labelstud.io/guide/predictions. Boxes are in percent of
the image (0 to 100), from the upper left corner. The Data Manager sorts by ``score``, the least sure first.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver, Suggestion
from sslcore.labels.formats.documents import (
    class_name,
    make_box,
    number,
    of_kind,
    read_json,
    require,
    write_json,
)

__all__ = ["read", "write"]

CHOICE, BOX, IMAGE = "label", "box", "image"


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write tasks.json and label_config.xml.

    Args:
        tasks: The samples.
        folder: An existing folder.
        classes: What can be chosen; people add more in the tool's settings.
        image_root: Put before each file name; the server must be able to fetch the result.
    """
    write_json([_task(each, image_root) for each in tasks], folder / "tasks.json")
    (folder / "label_config.xml").write_text(_config(classes), encoding="utf-8")


def _task(task: HandOver, image_root: str) -> dict[str, Any]:
    data = {
        IMAGE: image_root + task.filename,
        "sample_id": task.sample_id,
        "filename": task.filename,
        "rank": task.rank,
        "round": task.round,
        "reason": task.reason,
    }
    made: dict[str, Any] = {"data": data}
    if task.suggestion is not None:
        made["predictions"] = [_prediction(task, task.suggestion)]
    return made


def _prediction(task: HandOver, suggestion: Suggestion) -> dict[str, Any]:
    result: list[dict[str, Any]] = []
    if suggestion.label is not None:
        value: dict[str, Any] = {"choices": [suggestion.label]}
        result.append({"from_name": CHOICE, "to_name": IMAGE, "type": "choices", "value": value})
    for count, box in enumerate(suggestion.boxes):
        value = {
            "x": 100 * box.left / task.width,
            "y": 100 * box.top / task.height,
            "width": 100 * box.width / task.width,
            "height": 100 * box.height / task.height,
            "rotation": 0,
            "rectanglelabels": [box.label],
        }
        item = {
            "id": f"box{count}",
            "from_name": BOX,
            "to_name": IMAGE,
            "type": "rectanglelabels",
            "original_width": task.width,
            "original_height": task.height,
            "value": value,
        }
        result.append(item if box.score is None else item | {"score": box.score})
    made = {"model_version": suggestion.model or "sslflow", "result": result}
    return made if suggestion.score is None else made | {"score": suggestion.score}


def _config(classes: Sequence[str]) -> str:
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
    choices = ElementTree.SubElement(view, "Choices", name=CHOICE, toName=IMAGE, choice="single")
    boxes = ElementTree.SubElement(view, "RectangleLabels", name=BOX, toName=IMAGE)
    for name in classes:
        ElementTree.SubElement(choices, "Choice", value=name)
        ElementTree.SubElement(boxes, "Label", value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def read(path: Path) -> Iterator[Annotation]:
    """Yield every annotation of an export (JSON or JSON-MIN).

    A cancelled annotation is a skip.

    Raises:
        UserError: If it is no such export.
    """
    for count, task in enumerate(read_json(path, list, "JSON export of Label Studio"), 1):
        place = f"{path}, task {task.get('id', count) if isinstance(task, dict) else count}"
        if isinstance(task, dict) and "data" not in task and IMAGE in task:
            yield _from_min(task, place)
            continue
        data = require(task, "data", place, dict)
        for annotation in of_kind(task.get("annotations", []), list, f"{place}: 'annotations'"):
            yield _from_annotation(of_kind(annotation, dict, f"{place}: an annotation"), data, place)


def _from_annotation(annotation: dict[str, Any], data: dict[str, Any], place: str) -> Annotation:
    result = of_kind(annotation.get("result") or [], list, f"{place}: 'result'")
    items = [of_kind(item, dict, f"{place}: a result") for item in result]
    values = [of_kind(item.get("value", {}), dict, f"{place}: 'value'") for item in items]
    chosen = [
        class_name(choice, place)
        for value in values
        for choice in of_kind(value.get("choices", []), list, f"{place}: 'choices'")
    ]
    drawn = [item for item in items if "rectanglelabels" in item.get("value", {})]
    skipped = bool(annotation.get("was_cancelled")) or not result
    return Annotation(
        place=place,
        sample_id=str(data.get("sample_id", "")),
        filename=str(data.get("filename") or data.get(IMAGE, "")),
        label=None if skipped else _only(chosen, place),
        annotator=_who(annotation.get("completed_by")),
        when=str(annotation.get("updated_at") or annotation.get("created_at") or ""),
        boxes=() if skipped else tuple(_box(item, item["value"], place) for item in drawn),
        skipped=skipped,
        size=_size(drawn, place),
    )


def _from_min(task: dict[str, Any], place: str) -> Annotation:
    """Return the annotation of a task of JSON-MIN, whose controls are keys."""
    if CHOICE not in task and BOX not in task and "annotation_id" in task:
        shown = ", ".join(sorted(map(str, task)))
        raise UserError(
            f"{place}: neither '{CHOICE}' nor '{BOX}' among {shown}; call the controls so in the labelling "
            "config, or export JSON"
        )
    said = task.get(CHOICE)
    if isinstance(said, dict):  # several choices
        said = said.get("choices")
    chosen = [
        class_name(each, place) for each in (said if isinstance(said, list) else [said]) if each is not None
    ]
    drawn = of_kind(task.get(BOX) or [], list, f"{place}: '{BOX}'")
    boxes = tuple(_box(of_kind(item, dict, f"{place}: a box"), item, place) for item in drawn)
    return Annotation(
        place=place,
        sample_id=str(task.get("sample_id", "")),
        filename=str(task.get("filename") or task.get(IMAGE, "")),
        label=_only(chosen, place),
        annotator=_who(task.get("annotator")),
        when=str(task.get("updated_at") or ""),
        boxes=boxes,
        skipped=not chosen and not boxes,
        size=_size(drawn, place),
    )


def _only(chosen: Sequence[str], place: str) -> str | None:
    if len(chosen) > 1:
        raise UserError(
            f"{place}: {len(chosen)} choices ({', '.join(chosen)}); a sample has one label: use "
            'choice="single" in the labelling config'
        )
    return chosen[0] if chosen else None


def _who(person: Any) -> str:
    if isinstance(person, dict):
        return str(person.get("email") or person.get("id") or "")
    return "" if person is None else str(person)


def _size(drawn: Sequence[dict[str, Any]], place: str) -> tuple[float, float] | None:
    """Return the width and height of the image that boxes were drawn on."""
    if not drawn:
        return None
    width, height = (number(drawn[0].get(key), place) for key in ("original_width", "original_height"))
    if width <= 0 or height <= 0:
        raise UserError(f"{place}: the size of its image must be above 0, got {width:g} x {height:g}")
    return width, height


def _box(item: dict[str, Any], value: dict[str, Any], place: str) -> Box:
    """Return a box in pixels; of a turned one (degrees, about its upper left corner) what encloses it."""
    try:
        width, height = float(item["original_width"]), float(item["original_height"])
        x, y, w, h = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
        angle = math.radians(float(value.get("rotation") or 0))
        (label,) = value["rectanglelabels"]
    except (KeyError, TypeError, ValueError):
        shown = json.dumps(item, ensure_ascii=False)[:120]
        raise UserError(f"{place}: a box without its place, size or one label: {shown}") from None
    right = (w * width * math.cos(angle), w * width * math.sin(angle))
    down = (-h * height * math.sin(angle), h * height * math.cos(angle))
    across = (0.0, right[0], down[0], right[0] + down[0])
    along = (0.0, right[1], down[1], right[1] + down[1])
    left, top = x * width + min(across), y * height + min(along)
    sides = (max(across) - min(across), max(along) - min(along))
    return make_box(class_name(label, place), (left, top, *sides), None, place)
