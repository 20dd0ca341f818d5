"""What comes back from a labelling tool."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sslcore.errors import UserError
from sslcore.labels import (
    FORMATS,
    Box,
    Suggestion,
    TakeBackReport,
    hand_over,
    read_label_table,
    read_labels,
    take_back,
)

TakeBack = Callable[..., TakeBackReport]
FILES = {
    "label-studio": "tasks.json",
    "cvat": "annotations.xml",
    "coco": "annotations.json",
    "fiftyone": "labels.json",
    "csv": "labels.csv",
    "parquet": "labels.parquet",
}


@pytest.fixture
def bring(dataset: Path, tmp_path: Path) -> TakeBack:
    def run(path: Path, tool: str, **more: Any) -> TakeBackReport:
        return take_back(path, dataset=dataset, labels=tmp_path / "labels", tool=tool, **more)

    return run


@pytest.fixture
def known(dataset: Path, tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Return the labels that the stages would see, by name."""

    def read() -> dict[str, str]:
        manifest = pd.read_parquet(dataset / "manifest.parquet")
        name_of = dict(zip(manifest["sample_id"], manifest["filename"], strict=True))
        return {name_of[key]: label for key, label in read_labels(tmp_path / "labels", manifest).items()}

    return read


def studio(data: dict[str, Any], *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "data": data, "annotations": list(annotations)}


def said(label: str | None, who: Any = 1, when: str = "2026-01-01", **more: Any) -> dict[str, Any]:
    value = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [label]}}
    return {"completed_by": who, "updated_at": when, "result": [value] if label else [], **more}


def accept_suggestions(tool: str, root: Path) -> None:
    """Do what a person does in the tool who agrees with every suggestion."""
    file = root / FILES[tool] if tool in FILES else root
    if tool == "label-studio":
        tasks = json.loads(file.read_text())
        for task in tasks:
            result = [item for each in task.pop("predictions", []) for item in each["result"]]
            task["annotations"] = [{"completed_by": {"email": "a@b"}, "result": result}] if result else []
        file.write_text(json.dumps(tasks))
    elif tool == "cvat":
        file.write_text(file.read_text().replace('source="auto"', 'source="manual"'))
    elif tool == "coco":
        document = json.loads(file.read_text())
        for annotation in document["annotations"]:
            del annotation["score"]
        file.write_text(json.dumps(document))
    elif tool == "csv":
        table = pd.read_csv(file)
        table.assign(label=table["suggestion"]).to_csv(file, index=False)
    elif tool == "parquet":
        table = pd.read_parquet(file)
        table.assign(label=table["suggestion"]).to_parquet(file)


@pytest.mark.parametrize("tool", FORMATS)
def test_suggestions_that_people_accept_come_back_as_labels(
    tool: str,
    dataset: Path,
    selection: Path,
    ids: dict[str, str],
    tmp_path: Path,
    bring: TakeBack,
    known: Callable[[], dict[str, str]],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    suggestions = {ids["sub/b.png"]: Suggestion("car"), ids["sub/ü c.png"]: Suggestion("bike", score=0.5)}
    hand_over(dataset=dataset, selection=selection, output=out, tool=tool, suggestions=suggestions)
    accept_suggestions(tool, out)
    report = bring(out / FILES.get(tool, ""), tool)
    assert known() == {"sub/b.png": "car", "sub/ü c.png": "bike"}
    assert (report.num_labels, report.num_new, report.num_unknown, report.conflicts) == (2, 2, 0, ())
    before = report.file.read_bytes()
    again = bring(out / FILES.get(tool, ""), tool)
    assert (again.num_new, again.num_changed, report.file.read_bytes()) == (0, 0, before)


@pytest.mark.parametrize("tool", ["cvat", "coco", "label-studio", "csv", "parquet"])
def test_suggestions_that_nobody_looked_at_are_no_labels(
    tool: str, dataset: Path, selection: Path, ids: dict[str, str], tmp_path: Path, bring: TakeBack
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    box = Box("wheel", 1, 2, 3, 4)
    suggestions = {ids["sub/b.png"]: Suggestion("car"), ids["d.png"]: Suggestion(boxes=(box,))}
    hand_over(
        dataset=dataset, selection=selection, output=tmp_path / "out", tool=tool, suggestions=suggestions
    )
    report = bring(tmp_path / "out" / FILES[tool], tool)
    assert (report.num_labels, report.num_boxes) == (0, 0)
    if tool in ("cvat", "coco"):
        report = bring(out / FILES[tool], tool, confirmed=True)
        assert (report.num_labels, report.num_boxes) == (1, 1)


def test_the_majority_decides_and_a_tie_is_reported(
    tmp_path: Path, bring: TakeBack, ids: dict[str, str], known: Callable[[], dict[str, str]]
) -> None:
    tasks = [
        studio({"sample_id": ids["a.png"]}, said("cat", 1), said("cat", 2), said("dog", 3)),
        studio({"sample_id": ids["d.png"]}, said("cat", 1), said("dog", 2)),
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    report = bring(tmp_path / "export.json", "label-studio")
    assert known() == {"a.png": "cat"}
    found = {each.filename: (each.said, each.label) for each in report.conflicts}
    assert found == {"a.png": ("cat 2, dog 1", "cat"), "d.png": ("cat 1, dog 1", None)}


def test_edits_win_and_skips_are_counted(
    tmp_path: Path, bring: TakeBack, ids: dict[str, str], known: Callable[[], dict[str, str]]
) -> None:
    edited = [said("dog", 1, "2026-02-02"), said("cat", 1, "2026-01-01")]
    skipped = said("cow", 1, was_cancelled=True)
    tasks = [
        studio({"sample_id": ids["a.png"]}, *edited),
        studio({"sample_id": ids["d.png"]}, skipped),
        studio({"filename": "sub/b.png"}, said(None)),
        studio({"filename": "gone.png"}, said("cat")),
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    report = bring(tmp_path / "export.json", "label-studio")
    assert known() == {"a.png": "dog"}
    assert (report.num_skipped, report.num_unknown) == (2, 1)


def test_a_later_export_adds_and_changes_but_forgets_nothing(
    tmp_path: Path, bring: TakeBack, known: Callable[[], dict[str, str]]
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("filename,label\na.png,cat\nd.png,cat\n")
    bring(file, "csv")
    file.write_text("filename,label\nd.png,dog\nsub/b.png,cow\n")
    report = bring(file, "csv")
    assert (report.num_labels, report.num_new, report.num_changed) == (3, 1, 1)
    assert known() == {"a.png": "cat", "sub/b.png": "cow", "d.png": "dog"}


def test_an_export_that_adds_labels_is_a_round_of_its_own(tmp_path: Path, bring: TakeBack) -> None:
    file = tmp_path / "labels.csv"
    for text in ("a.png,cat\nd.png,cat\n", "a.png,cat\nd.png,dog\n", "d.png,dog\nsub/b.png,cow\n"):
        file.write_text("filename,label\n" + text)
        bring(file, "csv")
    rows = read_label_table(tmp_path / "labels" / "csv.csv")
    assert {row.filename: row.round for row in rows} == {"a.png": 1, "d.png": 1, "sub/b.png": 2}


def test_what_another_label_file_says_is_kept_and_reported(
    tmp_path: Path, bring: TakeBack, known: Callable[[], dict[str, str]]
) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "mine.csv").write_text("filename,label\na.png,cat\n")
    (tmp_path / "export.csv").write_text("filename,label\na.png,dog\nd.png,dog\n")
    report = bring(tmp_path / "export.csv", "csv")
    assert known() == {"a.png": "cat", "d.png": "dog"}
    assert [(each.filename, each.said) for each in report.elsewhere] == [("a.png", "cat there, dog here")]


def test_boxes_in_percent_come_back_in_pixels(tmp_path: Path, bring: TakeBack, ids: dict[str, str]) -> None:
    value = {"x": 25, "y": 25, "width": 50, "height": 50, "rectanglelabels": ["wheel"]}
    box = {"type": "rectanglelabels", "original_width": 40, "original_height": 20, "value": value}
    task = studio({"sample_id": ids["d.png"]}, {"completed_by": 1, "result": [box]})
    (tmp_path / "export.json").write_text(json.dumps([task]))
    for _ in range(2):
        report = bring(tmp_path / "export.json", "label-studio")
        assert (report.num_boxes, report.num_labels) == (1, 0)
    stored = json.loads((tmp_path / "labels" / "label-studio.coco.json").read_text())
    assert stored["annotations"][0]["bbox"] == [10, 5, 20, 10]
    assert stored["images"][0]["file_name"] == "d.png"


def test_a_prefix_of_the_tool_is_cut_off(
    tmp_path: Path, bring: TakeBack, known: Callable[[], dict[str, str]]
) -> None:
    text = '<annotations><image id="0" name="share/d.png"><tag label="dog"/></image></annotations>'
    (tmp_path / "a.xml").write_text(text)
    assert bring(tmp_path / "a.xml", "cvat").num_unknown == 1
    assert bring(tmp_path / "a.xml", "cvat", image_root="share/").num_unknown == 0
    assert known() == {"d.png": "dog"}


WRONG = {
    "not JSON": ("label-studio", "x.json", "{", "is no JSON export of Label Studio"),
    "not a list": ("label-studio", "x.json", "{}", "it holds a dict"),
    "two choices": (
        "label-studio",
        "x.json",
        '[{"data": {}, "annotations": [{"result": [{"value": {"choices": ["a", "b"]}}]}]}]',
        "2 choices",
    ),
    "no categories": ("coco", "x.json", '{"images": [], "annotations": []}', "no 'categories'"),
    "unknown category": (
        "coco",
        "x.json",
        '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [], '
        '"annotations": [{"image_id": 1, "category_id": 7}]}',
        "category 7 is not among the categories",
    ),
    "a box of three": (
        "coco",
        "x.json",
        '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "c"}], '
        '"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}]}',
        "bbox must be",
    ),
    "not XML": ("cvat", "x.xml", "<a", "is no XML"),
    "entities": ("cvat", "x.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations/>", "defines entities"),
    "other XML": ("cvat", "x.xml", "<html/>", "its root is 'html'"),
    "no label column": ("csv", "x.csv", "filename,klass\na,b\n", "the columns must be label"),
    "not Parquet": ("parquet", "x.parquet", "x", "is no Parquet file"),
    "no folder": ("folders", "x.txt", "x", "is no folder of class folders"),
    "a class that is not there": ("fiftyone", "x.json", '{"classes": [], "labels": {"a": 3}}', "class 3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_something_else_is_one_line_and_changes_nothing(
    case: str, tmp_path: Path, bring: TakeBack
) -> None:
    tool, name, text, message = WRONG[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        bring(tmp_path / name, tool)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)
    assert not (tmp_path / "labels").exists()
