"""What an import leaves as it was, and what it takes away."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sslcore.config import IngestConfig
from sslcore.data.ingest import ingest
from sslcore.errors import UserError
from sslcore.labels import Box, Suggestion, TakeBackReport, hand_over, take_back

TakeBack = Callable[..., TakeBackReport]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "labels").mkdir()
    return tmp_path / "labels"


@pytest.fixture
def bring(dataset: Path, labels: Path, tmp_path: Path) -> TakeBack:
    def run(content: Any, tool: str = "csv", name: str | None = "mine") -> TakeBackReport:
        file = tmp_path / "export"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return take_back(file, dataset=dataset, labels=labels, tool=tool, name=name)

    return run


def test_labels_of_a_file_made_by_hand_stay(bring: TakeBack, labels: Path, ids: dict[str, str]) -> None:
    (labels / "mine.csv").write_text("filename,label\na.png,cat\n./sub\\b.png,dog\n")
    report = bring("filename,label\nd.png,cow\n")
    assert (report.num_labels, report.num_new) == (3, 1)
    assert (labels / "mine.csv").read_text().splitlines() == [
        "sample_id,filename,label,round",
        f"{ids['a.png']},a.png,cat,1",
        f"{ids['d.png']},d.png,cow,2",
        f"{ids['sub/b.png']},sub/b.png,dog,1",
    ]


def test_labels_and_boxes_of_samples_that_are_away_stay(bring: TakeBack, labels: Path) -> None:
    away = f"{'d' * 20},old.png,cat,3"
    (labels / "mine.csv").write_text(f"sample_id,filename,label,round\n{away}\n")
    image = {"id": 1, "file_name": "old.png", "sample_id": "d" * 20, "width": 9, "height": 8}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1.0, 2.0, 3.0, 4.0]}
    boxes = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "wheel"}]}
    (labels / "mine.coco.json").write_text(json.dumps(boxes))
    assert bring("filename,label\nd.png,cow\n").num_labels == 1
    assert away in (labels / "mine.csv").read_text()
    assert ",d.png,cow,4" in (labels / "mine.csv").read_text()
    kept = json.loads((labels / "mine.coco.json").read_text())
    assert kept["images"] == [image]
    assert kept["annotations"][0]["bbox"] == [1, 2, 3, 4]


def test_two_labels_in_the_file_for_one_sample_are_not_decided(
    bring: TakeBack, labels: Path, ids: dict[str, str]
) -> None:
    text = f"sample_id,filename,label\n{ids['a.png']},,cat\n,a.png,dog\n"
    (labels / "mine.csv").write_text(text)
    with pytest.raises(UserError, match=r"line 3: 'a\.png' is 'dog' here and 'cat' in line 2; delete one"):
        bring("filename,label\nd.png,cow\n")
    assert (labels / "mine.csv").read_text() == text


def task(name: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"filename": name}, "annotations": list(annotations)}


def said(label: str, who: int = 1, **more: Any) -> dict[str, Any]:
    result = [{"type": "choices", "value": {"choices": [label]}}] if label else []
    return {"completed_by": who, "result": result + more.pop("boxes", []), **more}


def box(label: str) -> dict[str, Any]:
    value = {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": [label]}
    return {"type": "rectanglelabels", "original_width": 40, "original_height": 20, "value": value}


def test_a_tie_and_a_skip_take_away_what_was_there(bring: TakeBack, labels: Path) -> None:
    bring([task(name, said("cat")) for name in ("a.png", "d.png", "sub/b.png")], "label-studio")
    skip = said("cat", was_cancelled=True)
    later = [task("a.png", said("cat"), said("dog", 2)), task("d.png", skip)]
    report = bring(later, "label-studio")
    assert (report.num_labels, report.num_withdrawn, report.num_skipped) == (1, 2, 1)
    assert [row.split(",")[1] for row in (labels / "mine.csv").read_text().splitlines()[1:]] == ["sub/b.png"]


def test_a_label_that_is_not_filled_in_takes_nothing_away(bring: TakeBack) -> None:
    bring("filename,label\na.png,cat\nd.png,\n")
    report = bring("filename,label\na.png,\nd.png,dog\n")
    assert (report.num_labels, report.num_new, report.num_withdrawn) == (2, 1, 0)


def test_boxes_that_were_deleted_go(bring: TakeBack) -> None:
    first = [task(name, said("cat", boxes=[box("wheel")])) for name in ("a.png", "d.png")]
    assert bring(first, "label-studio").num_boxes == 2
    assert bring([task("sub/b.png", said("cat"))], "label-studio").num_boxes == 2
    edited = [task("a.png", said("cat")), first[1]]
    assert bring(edited, "label-studio").num_boxes == 1


@pytest.mark.parametrize("name", ["../../out", "a/b", "a\\b", ".hidden", "", ".."])
def test_a_name_is_of_a_file_in_the_folder(name: str, bring: TakeBack, labels: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a file's name is needed"):
        bring("filename,label\na.png,cat\n", name=name)
    assert list(labels.iterdir()) == []
    assert not list(tmp_path.rglob("out.csv"))


def test_broken_boxes_are_noticed_before_anything_is_written(bring: TakeBack, labels: Path) -> None:
    bring("filename,label\na.png,cat\n")
    before = (labels / "mine.csv").read_text()
    (labels / "mine.coco.json").write_text("{")
    with pytest.raises(UserError, match=r"mine\.coco\.json"):
        bring("filename,label\nd.png,cow\n")
    assert (labels / "mine.csv").read_text() == before


@pytest.mark.parametrize("tool", ["coco", "cvat", "label-studio"])
def test_boxes_on_shrunk_images_come_back_where_they_were(
    tool: str, dataset: Path, selection: Path, labels: Path, ids: dict[str, str], tmp_path: Path
) -> None:
    store = {"format": "jpeg", "short_side": 10}
    config = IngestConfig.model_validate({"source": "pictures", "store": store})
    small, out = tmp_path / "small", tmp_path / "out"
    small.mkdir()
    out.mkdir()
    ingest(config, output=small, root=tmp_path)
    drawn = Box("wheel", 12, 4, 20, 10)
    suggestions = {ids["d.png"]: Suggestion(boxes=(drawn,))}
    hand_over(dataset=small, selection=selection, output=out, tool=tool, suggestions=suggestions)
    file = next(
        each for each in out.iterdir() if each.suffix in (".json", ".xml") and "config" not in each.name
    )
    text = file.read_text()
    if tool == "coco":
        (image,) = (each for each in json.loads(text)["images"] if each["file_name"] == "d.png")
        assert (image["width"], image["height"]) == (20, 10)
        document = json.loads(text)
        for each in document["annotations"]:
            each.pop("score", None)  # a person agrees
        text = json.dumps(document)
    elif tool == "cvat":
        assert 'width="20" height="10"' in text
        text = text.replace('source="auto"', 'source="manual"')
    else:
        tasks = json.loads(text)
        for each in tasks:
            each["annotations"] = [{"result": got["result"]} for got in each.pop("predictions", [])]
        text = json.dumps(tasks)
    file.write_text(text)
    take_back(file, dataset=small, labels=labels, tool=tool)
    (found,) = json.loads((labels / f"{tool}.coco.json").read_text())["annotations"]
    assert found["bbox"] == pytest.approx([12, 4, 20, 10], abs=0.02)
