"""Lightly: filenames.txt (a relative path per line) and the predictions folder.

Format: https://docs.lightly.ai/docs/work-with-predictions. predictions/tasks.json names the tasks; each has a
folder with schema.json (task_type, categories) and a JSON file per image with category_id, and probabilities,
or bbox and score. What is read is a model's or a person's: the layout does not say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver
from sslcore.labels.formats.coco import class_names, id_of
from sslcore.labels.formats.documents import make_box, number, of_kind, read_json, require, write_json

__all__ = ["read", "write"]

PREDICTIONS = Path(".lightly") / "predictions"
TASK = "sslflow-classification"
BOXES = "sslflow-detection"
SCHEMA = "schema.json"


@dataclass(frozen=True)
class _Prediction:
    """What one task says of one image."""

    task: str
    place: str
    label: str | None
    boxes: tuple[Box, ...]


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write filenames.txt, in the order of rank, and suggestions as predictions; no ``image_root``.

    Raises:
        UserError: If two predictions would be one file; nothing is written then.
    """
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
    for task in used:
        _check_files(made[task])
    listed = "".join(f"{task.filename}\n" for task in tasks)
    (folder / "filenames.txt").write_text(listed, encoding="utf-8")
    if used:
        write_json(used, folder / PREDICTIONS / "tasks.json")
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    for task in used:
        schema = {"task_type": kinds[task], "categories": categories}
        write_json(schema, folder / PREDICTIONS / task / "schema.json")
        for name, items in made[task].items():
            content = {"file_name": name, "predictions": items}
            write_json(content, folder / PREDICTIONS / task / _file_of(name))


def _file_of(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(".json"))


def _check_files(names: Iterable[str]) -> None:
    taken = {SCHEMA: "the list of classes"}
    for name in names:
        other = taken.setdefault(_file_of(name), name)
        if other != name:
            raise UserError(
                f"{name}: its prediction would be {_file_of(name)}, which is the file of {other}; rename the "
                "image, or use another format"
            )


def read(path: Path) -> Iterator[Annotation]:
    """Yield what the predictions below a folder say of each image: the most probable category, and boxes.

    Tasks that give an image different categories count as different annotators.

    Args:
        path: A folder with schema.json (one task), or one that holds ``.lightly/predictions``.

    Raises:
        UserError: If it is no such folder.
    """
    if path.is_file():
        raise UserError(
            f"{path} is a file, and a list of names has no labels; give the folder with .lightly/predictions "
            "or that of one task, with schema.json"
        )
    root = path / PREDICTIONS if (path / PREDICTIONS).is_dir() else path
    folders = [root]
    if (root / "tasks.json").is_file():
        tasks = read_json(root / "tasks.json", list, "tasks.json of Lightly")
        folders = [_folder_of(task, root) for task in tasks]
    said: dict[str, list[_Prediction]] = defaultdict(list)
    for folder in dict.fromkeys(folders):
        for name, prediction in _read_task(folder).items():
            said[name].append(prediction)
    for name, predictions in said.items():
        yield from _merged(name, predictions)


def _folder_of(task: Any, root: Path) -> Path:
    folder: Path = root / of_kind(task, str, f"{root}/tasks.json: a task")
    if folder == root or not folder.is_dir():
        raise UserError(f"{root}/tasks.json: there is no folder of task {task!r} beside it")
    return folder


def _merged(name: str, predictions: Sequence[_Prediction]) -> Iterator[Annotation]:
    boxes = tuple(box for each in predictions for box in each.boxes)
    voices = {each.label: each for each in predictions if each.label is not None}
    if len(voices) < 2:
        label = next(iter(voices), None)
        place = voices[label].place if label is not None else predictions[0].place
        yield Annotation(place=place, filename=name, label=label, boxes=boxes)
        return
    for each in predictions:
        if each.label is not None:
            yield Annotation(
                place=each.place, filename=name, label=each.label, annotator=each.task, boxes=boxes
            )


def _read_task(folder: Path) -> dict[str, _Prediction]:
    names = class_names(read_json(folder / SCHEMA, dict, "schema.json of Lightly"), f"{folder}/{SCHEMA}")
    found: dict[str, _Prediction] = {}
    for file in sorted(folder.rglob("*.json")):
        if file == folder / SCHEMA:
            continue
        document = read_json(file, dict, "prediction of Lightly")
        name = require(document, "file_name", str(file), str)
        if name in found:
            raise UserError(f"{file}: {name!r} is in {found[name].place} too; delete one of them")
        said = require(document, "predictions", str(file), list)
        for each in said:
            if id_of(each, "category_id", str(file)) not in names:
                raise UserError(f"{file}: category {each['category_id']!r} is not in {folder}/{SCHEMA}")
        whole = [each for each in said if each.get("bbox") is None]
        best = max(whole, key=lambda each: _confidence(each, str(file)), default=None)
        boxes = tuple(
            make_box(
                names[each["category_id"]],
                of_kind(each["bbox"], list, f"{file}: 'bbox'"),
                each.get("score"),
                str(file),
            )
            for each in said
            if each.get("bbox") is not None
        )
        label = None if best is None else names[best["category_id"]]
        found[name] = _Prediction(folder.name, str(file), label, boxes)
    return found


def _confidence(prediction: dict[str, Any], place: str) -> float:
    probabilities = of_kind(prediction.get("probabilities") or [], list, f"{place}: 'probabilities'")
    if probabilities:
        return max(number(each, place) for each in probabilities)
    score = prediction.get("score")
    return 0.0 if score is None else number(score, place)
