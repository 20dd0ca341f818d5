"""Exports of Label Studio, whole and broken."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box
from sslcore.labels.formats.label_studio import read

SIZE = {"original_width": 40, "original_height": 20}
PLACE = {"x": 25, "y": 25, "width": 50, "height": 50, "rectanglelabels": ["wheel"]}
CHOICE = {"type": "choices", "from_name": "label", "value": {"choices": ["cat"]}}
BOX = {"type": "rectanglelabels", "from_name": "box", "value": PLACE, **SIZE}
WHOLE: Any = [{"id": 7, "data": {"image": "a.png"}, "annotations": [{"result": [CHOICE, BOX]}]}]
MIN: Any = [{"id": 7, "image": "a.png", "label": "cat", "box": [PLACE | SIZE], "annotation_id": 1}]
JUNK: tuple[Any, ...] = (None, 5, -1.5, True, "x", "", [], {}, [1], [None], {"a": 1}, [[]], [{}])


def annotations(content: Any, folder: Path) -> list[Annotation]:
    file = folder / "export.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return list(read(file))


@pytest.mark.parametrize("content", [WHOLE, MIN], ids=["JSON", "JSON-MIN"])
def test_the_class_and_the_boxes_are_read(content: Any, tmp_path: Path) -> None:
    (found,) = annotations(content, tmp_path)
    assert (found.filename, found.label, found.skipped, found.size) == ("a.png", "cat", False, (40, 20))
    assert found.boxes == (Box("wheel", 10, 5, 20, 10),)


def test_boxes_alone_are_no_skip_in_json_min(tmp_path: Path) -> None:
    (found,) = annotations([{"image": "a.png", "box": [PLACE | SIZE]}], tmp_path)
    assert (found.label, len(found.boxes), found.skipped) == (None, 1, False)


def test_of_a_turned_box_what_encloses_it_is_taken(tmp_path: Path) -> None:
    turned = {"image": "a.png", "box": [PLACE | SIZE | {"rotation": 90}]}
    ((box,),) = (each.boxes for each in annotations([turned], tmp_path))
    # 20 x 10 about its corner (10, 5): its right side points down, its lower side to the left.
    assert (box.left, box.top, box.width, box.height) == pytest.approx((0, 5, 10, 20))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"image": "a.png", "label": {"choices": ["cat", "dog"]}}, "2 choices"),
        ({"image": "a.png", "label": ["cat", "dog"]}, "2 choices"),
        ({"image": "a.png", "label": ""}, "a class needs a name"),
        ({"image": "a.png", "kind": "cat", "annotation_id": 1}, "neither 'label' nor 'box' among"),
        ({"image": "a.png", "box": [PLACE | SIZE | {"width": 0}]}, "a size above 0"),
        ({"data": {}, "annotations": None}, "'annotations' must be a list, got null"),
        ({"data": []}, "'data' must be an object"),
    ],
)
def test_what_is_wrong_is_named(task: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        annotations([task], tmp_path)


def spoilt(whole: Any) -> Iterator[Any]:
    """Yield the document with each value in it replaced in turn by each kind of junk."""
    yield from JUNK
    items = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for key, value in items:
        for other in spoilt(value):
            changed = whole.copy()
            changed[key] = other
            yield changed


@pytest.mark.parametrize("content", [WHOLE, MIN], ids=["JSON", "JSON-MIN"])
def test_broken_exports_are_one_line(content: Any, tmp_path: Path) -> None:
    messages = [message for broken in spoilt(content) if (message := _refusal(broken, tmp_path))]
    assert len(messages) > 50
    assert all("export.json" in message and "\n" not in message for message in messages)


def _refusal(content: Any, folder: Path) -> str:
    """Return why an export is refused, or nothing; any other error than a UserError is a failure."""
    try:
        annotations(content, folder)
    except UserError as error:
        return str(error)
    return ""
