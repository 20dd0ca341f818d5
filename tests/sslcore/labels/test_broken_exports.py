"""The files of single tools: what is in them is read, or refused in one line that names the file."""

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box
from sslcore.labels.formats import coco, cvat, reader_of

COCO = {
    "categories": [{"id": 1, "name": "cat"}],
    "images": [{"id": 1, "file_name": "a.png", "sample_id": "s", "width": 40, "height": 20}],
    "annotations": [
        {"image_id": 1, "category_id": 1},
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5},
    ],
}
FIFTYONE = {
    "classes": ["cat", "dog"],
    "labels": {"a": 0, "b": "dog", "c": {"label": "cat", "attributes": {"sample_id": "s"}}, "d": None},
}
TASKS = ["classes", "objects"]
SCHEMA = {"task_type": "classification", "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]}
CLASSES = {
    "file_name": "a.png",
    "predictions": [{"category_id": 0, "probabilities": [0.75, 0.25]}, {"category_id": 1, "score": 0.5}],
}
OBJECTS = {"file_name": "a.png", "predictions": [{"category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]}
CVAT = """<annotations><version>1.1</version>
<image id="0" name="a.png" width="40" height="20"><tag label="cat" source="manual"/>
<box label="dog" source="manual" xtl="1" ytl="2" xbr="4" ybr="6" rotation="90"/></image></annotations>"""

Files = dict[str, Any]
GOOD: dict[str, Files] = {
    "coco": {"annotations.json": COCO},
    "fiftyone": {"labels.json": FIFTYONE},
    "lightly": {
        "tasks.json": TASKS,
        "classes/schema.json": SCHEMA,
        "classes/a.json": CLASSES,
        "objects/schema.json": SCHEMA,
        "objects/a.json": OBJECTS,
    },
}
JUNK: list[Any] = [
    None,
    True,
    5,
    -1.5,
    math.nan,
    "",
    "x",
    [],
    {},
    [1],
    [[]],
    {"x": [None]},
    [{"id": [1]}],
    "1234",
]


def save(folder: Path, files: Files) -> Path:
    """Write documents and return what an import is given: the only one, or the folder."""
    for name, document in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(document))
    return folder if len(files) > 1 else folder / next(iter(files))


def spoilt(document: Any) -> Iterator[Any]:
    """Yield the document with each of its values in turn replaced by junk, or taken out."""
    yield from JUNK
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(items):
        inner = spoilt(value) if isinstance(value, dict | list) else JUNK
        for junk in inner:
            made = copy.copy(document)
            made[key] = junk
            yield made
        made = copy.copy(document)
        del made[key]
        yield made


def check(tool: str, path: Path) -> bool:
    """Return whether the file is read; if it is not, the reason is one line that names it."""
    said, reason = list[Annotation](), ""
    try:
        said = list(reader_of(tool)(path))
    except UserError as error:
        reason = str(error)
    assert "\n" not in reason
    assert not reason or str(path) in reason
    for each in said:
        assert each.label is None or each.label.strip() not in ("", "None")
        for box in each.boxes:
            assert box.label.strip() not in ("", "None")
            assert min(box.width, box.height) > 0
            assert math.isfinite(box.left + box.top + box.width + box.height)
    return not reason


@pytest.mark.parametrize(("tool", "name"), [(tool, name) for tool, files in GOOD.items() for name in files])
def test_a_spoilt_document_is_read_or_refused_in_one_line(tool: str, name: str, tmp_path: Path) -> None:
    path = save(tmp_path, GOOD[tool])
    assert check(tool, path)
    read = list[bool]()
    for document in spoilt(GOOD[tool][name]):
        (tmp_path / name).write_text(json.dumps(document))
        read.append(check(tool, path))
    assert len(read) > 2 * len(JUNK)
    assert not all(read)


def test_a_spoilt_cvat_file_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "annotations.xml"
    size = len(list(ElementTree.fromstring(CVAT).iter()))
    for number in range(size):
        for key in list(ElementTree.fromstring(CVAT).iter())[number].attrib:
            for junk in ("", " ", "x", "nan", "inf", "-1", "0", "1e400", None):
                root = ElementTree.fromstring(CVAT)
                element = list(root.iter())[number]
                element.attrib.pop(key) if junk is None else element.set(key, junk)
                file.write_bytes(ElementTree.tostring(root))
                check("cvat", file)


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("coco", json.dumps(COCO | {"annotations": [{"image_id": "a\nb", "category_id": 1}]})),
        ("coco", json.dumps(COCO | {"annotations": [{"image_id": 1, "category_id": "a\nb"}]})),
        ("fiftyone", json.dumps({"labels": {"a\nb": [0]}})),
        ("cvat", CVAT.replace("a.png", "a&#10;b").replace('label="cat"', "")),
    ],
)
def test_a_line_break_in_a_name_makes_no_second_line(tool: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    assert not check(tool, tmp_path / "file")


def test_a_lightly_task_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tasks\.json: there is no folder of task 'gone' beside it"):
        list(reader_of("lightly")(save(tmp_path, {"tasks.json": ["gone"], "other/schema.json": SCHEMA})))


NAMELESS: dict[str, tuple[str, Callable[[Any], Files]]] = {
    "coco": ("coco", lambda name: {"a.json": COCO | {"categories": [{"id": 1, "name": name}]}}),
    "a FiftyOne class": ("fiftyone", lambda name: {"a.json": {"classes": [name], "labels": {"a": 0}}}),
    "lightly": (
        "lightly",
        lambda name: {"schema.json": SCHEMA | {"categories": [{"id": 0, "name": name}]}, "a.json": CLASSES},
    ),
}


@pytest.mark.parametrize("name", ["", "  ", None, [], True])
@pytest.mark.parametrize("case", NAMELESS)
def test_a_class_without_a_name_is_refused(case: str, name: Any, tmp_path: Path) -> None:
    tool, files = NAMELESS[case]
    with pytest.raises(UserError, match="a class needs a name"):
        list(reader_of(tool)(save(tmp_path, files(name))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_entities_are_refused_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    text = '<!DOCTYPE annotations [<!ENTITY b "cat">]>' + CVAT.replace('label="cat"', 'label="&b;"')
    (tmp_path / "a.xml").write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match=r"a\.xml: it defines entities"):
        list(cvat.read_reviewed(tmp_path / "a.xml"))


def test_other_encodings_and_words_in_comments_are_no_hindrance(tmp_path: Path) -> None:
    text = f"<?xml version='1.0' encoding='utf-16'?><!-- no <!DOCTYPE here -->{CVAT}"
    (tmp_path / "a.xml").write_bytes(text.encode("utf-16"))
    assert check("cvat", tmp_path / "a.xml")


@pytest.mark.parametrize("encoding", ["nonsense", "utf-7", "idna", "rot13"])
def test_an_xml_file_in_an_unknown_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0" encoding="{encoding}"?>{CVAT}')
    with pytest.raises(UserError, match=r"a\.xml is no XML"):
        list(cvat.read_reviewed(tmp_path / "a.xml"))


def test_lightly_names_an_image_once_in_a_task(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"b\.json: 'a\.png' is in .*a\.json too"):
        list(
            reader_of("lightly")(
                save(tmp_path, {"schema.json": SCHEMA, "a.json": CLASSES, "b.json": CLASSES})
            )
        )


def test_coco_annotations_beside_a_prediction_are_read(tmp_path: Path) -> None:
    (said,) = coco.read_reviewed(save(tmp_path, {"a.json": COCO}))
    assert (said.label, said.boxes) == ("cat", (Box("cat", 1, 2, 3, 4),))
    assert said.size == (40, 20)


def test_suggestions_are_read_from_coco_with_their_scores(tmp_path: Path) -> None:
    (said,) = coco.read(save(tmp_path, {"a.json": COCO}))
    assert [box.score for box in said.boxes] == [None, 0.5]
