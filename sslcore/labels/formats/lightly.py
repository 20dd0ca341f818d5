"""Lightly: filenames.txt (a relative path per line) and the predictions folder.

Format: https://docs.lightly.ai/docs/work-with-predictions. predictions/tasks.json names the tasks; each has a
folder with schema.json (task_type, categories) and a JSON file per image with category_id, and probabilities,
or bbox and score.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, HandOver
from sslcore.labels.formats.documents import make_box, read_json, require, write_json

__all__ = ["read", "write"]

PREDICTIONS = Path(".lightly") / "predictions"
TASK = "sslflow-classification"
BOXES = "sslflow-detection"


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write filenames.txt, in the order of rank, and suggestions as predictions; no ``image_root``."""
    names = [task.filename for task in tasks]
    (folder / "filenames.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    suggested = {task.filename: task.suggestion for task in tasks if task.suggestion is not None}
    number_of = {name: number for number, name in enumerate(classes)}
    made: dict[str, dict[str, list[dict[str, Any]]]] = {TASK: {}, BOXES: {}}
    for name, said in suggested.items():
        if said.label is not None:
            item: dict[str, Any] = {"category_id": number_of.setdefault(said.label, len(number_of))}
            made[TASK][name] = [item if said.score is None else item | {"score": said.score}]
        for box in said.boxes:
            place = [box.left, box.top, box.width, box.height]
            item = {"category_id": number_of.setdefault(box.label, len(number_of)), "bbox": place}
            made[BOXES].setdefault(name, []).append(item | {"score": 1.0 if box.score is None else box.score})
    kinds = {TASK: "classification", BOXES: "object-detection"}
    used = [task for task in (TASK, BOXES) if made[task]]
    if used:
        write_json(used, folder / PREDICTIONS / "tasks.json")
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    for task in used:
        schema = {"task_type": kinds[task], "categories": categories}
        write_json(schema, folder / PREDICTIONS / task / "schema.json")
        for name, items in made[task].items():
            content = {"file_name": name, "predictions": items}
            write_json(content, folder / PREDICTIONS / task / Path(name).with_suffix(".json"))


def read(path: Path) -> Iterator[Annotation]:
    """Yield what the predictions below a folder say: the most probable category, and boxes.

    Args:
        path: A folder with schema.json (one task), or one that holds ``.lightly/predictions``.

    Raises:
        UserError: If it is no such folder.
    """
    root = path / PREDICTIONS if (path / PREDICTIONS).is_dir() else path
    folders = [root]
    if (root / "tasks.json").is_file():
        folders = [root / str(name) for name in read_json(root / "tasks.json", list, "tasks.json of Lightly")]
    for folder in folders:
        yield from _read_task(folder)


def _read_task(folder: Path) -> Iterator[Annotation]:
    schema = read_json(folder / "schema.json", dict, "schema.json of Lightly")
    names = {
        require(each, "id", f"{folder}/schema.json"): str(require(each, "name", f"{folder}/schema.json"))
        for each in require(schema, "categories", f"{folder}/schema.json")
    }
    for file in sorted(folder.rglob("*.json")):
        if file.name == "schema.json" and file.parent == folder:
            continue
        document = read_json(file, dict, "prediction of Lightly")
        said = list(require(document, "predictions", str(file)))
        for each in said:
            if require(each, "category_id", str(file)) not in names:
                raise UserError(f"{file}: category {each['category_id']} is not in {folder}/schema.json")
        whole = [each for each in said if "bbox" not in each]
        best = max(whole, key=_confidence, default=None)
        boxes = tuple(
            make_box(names[each["category_id"]], each["bbox"], each.get("score"), str(file))
            for each in said
            if "bbox" in each
        )
        yield Annotation(
            place=str(file),
            filename=str(require(document, "file_name", str(file))),
            label=None if best is None else names[best["category_id"]],
            boxes=boxes,
            skipped=best is None and not boxes,
        )


def _confidence(prediction: dict[str, Any]) -> float:
    probabilities = prediction.get("probabilities")
    return float(max(probabilities)) if probabilities else float(prediction.get("score", 0.0))
