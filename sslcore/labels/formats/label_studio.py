"""Label Studio: tasks with pre-annotations out, exports with several annotations, skips and edits back.

Format: https://labelstud.io/guide/tasks and https://labelstud.io/guide/predictions. Boxes are in percent of
the image (0 to 100), from the upper left corner. The Data Manager sorts by ``score``, the least sure first.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver, Suggestion
from sslcore.labels.formats.documents import read_json, require, write_json

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
    for number, box in enumerate(suggestion.boxes):
        value = {
            "x": 100 * box.left / task.width,
            "y": 100 * box.top / task.height,
            "width": 100 * box.width / task.width,
            "height": 100 * box.height / task.height,
            "rotation": 0,
            "rectanglelabels": [box.label],
        }
        item = {
            "id": f"box{number}",
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

    Of several annotations by one person the last wins (an edit); a cancelled one is a skip.

    Raises:
        UserError: If it is no such export.
    """
    for number, task in enumerate(read_json(path, list, "JSON export of Label Studio")):
        place = f"{path}, task {task.get('id', number + 1) if isinstance(task, dict) else number + 1}"
        if isinstance(task, dict) and "data" not in task and IMAGE in task:
            yield _from_min(task, place)
            continue
        data = require(task, "data", place)
        latest: dict[str, Annotation] = {}
        for annotation in task.get("annotations", []):
            said = _from_annotation(annotation, data, place)
            before = latest.get(said.annotator)
            if before is None or said.when >= before.when:
                latest[said.annotator] = said
        yield from latest.values()


def _from_annotation(annotation: Mapping[str, Any], data: Mapping[str, Any], place: str) -> Annotation:
    result = annotation.get("result") or []
    chosen = [choice for item in result for choice in item.get("value", {}).get("choices", [])]
    boxes = tuple(_box(item, place) for item in result if "rectanglelabels" in item.get("value", {}))
    if len(chosen) > 1:
        raise UserError(
            f"{place}: {len(chosen)} choices ({', '.join(map(str, chosen))}); a sample has one label: use "
            'choice="single" in the labelling config'
        )
    skipped = bool(annotation.get("was_cancelled")) or not result
    return Annotation(
        place=place,
        sample_id=str(data.get("sample_id", "")),
        filename=str(data.get("filename") or data.get(IMAGE, "")),
        label=str(chosen[0]) if chosen and not skipped else None,
        annotator=_who(annotation.get("completed_by")),
        when=str(annotation.get("updated_at") or annotation.get("created_at") or ""),
        boxes=() if skipped else boxes,
        skipped=skipped,
    )


def _from_min(task: Mapping[str, Any], place: str) -> Annotation:
    said = task.get(CHOICE)
    if isinstance(said, dict):
        raise UserError(f"{place}: several choices; a sample has one label")
    return Annotation(
        place=place,
        sample_id=str(task.get("sample_id", "")),
        filename=str(task.get("filename") or task.get(IMAGE, "")),
        label=None if said is None else str(said),
        annotator=_who(task.get("annotator")),
        when=str(task.get("updated_at") or ""),
        skipped=said is None,
    )


def _who(person: Any) -> str:
    if isinstance(person, dict):
        return str(person.get("email") or person.get("id") or "")
    return "" if person is None else str(person)


def _box(item: Mapping[str, Any], place: str) -> Box:
    value = item["value"]
    try:
        width, height = float(item["original_width"]), float(item["original_height"])
        x, y, w, h = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
        (label,) = value["rectanglelabels"]
    except (KeyError, TypeError, ValueError):
        shown = json.dumps(item, ensure_ascii=False)[:120]
        raise UserError(f"{place}: a box without its place, size or one label: {shown}") from None
    return Box(str(label), x * width, y * height, w * width, h * height)
