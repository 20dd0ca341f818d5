"""What a labelling tool is given."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from sslcore.errors import UserError
from sslcore.labels import Box, HandOverReport, Suggestion, hand_over
from sslcore.labels.suggestions import read_suggestions

Export = Callable[..., HandOverReport]


@pytest.fixture
def export(dataset: Path, selection: Path, ids: dict[str, str], tmp_path: Path) -> Export:
    box = Box("wheel", left=10, top=5, width=20, height=10, score=0.5)
    suggestions = {
        ids["sub/b.png"]: Suggestion(label="car", score=0.75, model="m1"),
        ids["d.png"]: Suggestion(boxes=(box,), model="m1"),
    }

    def run(tool: str, **more: Any) -> HandOverReport:
        (tmp_path / "out").mkdir()
        return hand_over(
            dataset=dataset,
            selection=selection,
            output=tmp_path / "out",
            tool=tool,
            classes=["bike"],
            suggestions=suggestions,
            **more,
        )

    return run


def test_every_format_has_the_selected_images_byte_for_byte(export: Export, tmp_path: Path) -> None:
    report = export("csv")
    assert (report.num_samples, report.num_suggested, report.num_gone) == (3, 2, 0)
    for name in ("sub/b.png", "sub/ü c.png", "d.png"):
        given = (tmp_path / "out" / "images" / name).read_bytes()
        assert given == (tmp_path / "pictures" / name).read_bytes()
    assert not (tmp_path / "out" / "images" / "a.png").exists()


def test_label_studio_gets_tasks_in_order_with_boxes_in_percent(
    export: Export, tmp_path: Path, ids: dict[str, str]
) -> None:
    export("label-studio", image_root="/data/local-files/?d=", images=False)
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert [task["data"]["sample_id"] for task in tasks] == [
        ids[name] for name in ("sub/b.png", "sub/ü c.png", "d.png")
    ]
    assert tasks[1]["data"]["image"] == "/data/local-files/?d=sub/ü c.png"
    assert "predictions" not in tasks[1]
    (said,) = tasks[0]["predictions"]
    assert (said["model_version"], said["score"]) == ("m1", 0.75)
    assert said["result"][0]["value"] == {"choices": ["car"]}
    value = tasks[2]["predictions"][0]["result"][0]["value"]
    assert (value["x"], value["y"], value["width"], value["height"]) == (25, 25, 50, 50)
    assert not (tmp_path / "out" / "images").exists()


def test_label_studio_gets_a_config_with_the_known_classes(export: Export, tmp_path: Path) -> None:
    export("label-studio")
    view = ElementTree.parse(tmp_path / "out" / "label_config.xml").getroot()
    assert [choice.get("value") for choice in view.iter("Choice")] == ["bike", "car", "wheel"]
    (choices,) = view.iter("Choices")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    result = tasks[0]["predictions"][0]["result"][0]
    assert (result["from_name"], result["to_name"]) == (choices.get("name"), choices.get("toName"))


def test_coco_is_read_by_its_own_tools(export: Export, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    export("coco")
    read = coco.COCO(str(tmp_path / "out" / "annotations.json"))
    names = {each["name"]: number for number, each in read.cats.items()}
    (number,) = read.getImgIds(catIds=[names["wheel"]])
    assert read.imgs[number]["file_name"] == "d.png"
    (box,) = read.loadAnns(read.getAnnIds(imgIds=[number]))
    assert (box["bbox"], box["area"]) == ([10, 5, 20, 10], 200)


def test_cvat_gets_tags_and_boxes_of_source_auto(export: Export, tmp_path: Path) -> None:
    export("cvat", image_root="pool/")
    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    images = {image.get("name"): image for image in root.iter("image")}
    assert list(images) == ["pool/sub/b.png", "pool/sub/ü c.png", "pool/d.png"]
    (tag,) = images["pool/sub/b.png"].iter("tag")
    assert tag.attrib == {"label": "car", "source": "auto"}
    (box,) = images["pool/d.png"].iter("box")
    assert [float(box.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr")] == [10, 5, 30, 15]


def test_lightly_gets_names_by_rank_and_a_file_per_prediction(export: Export, tmp_path: Path) -> None:
    export("lightly")
    root = tmp_path / "out"
    assert (root / "filenames.txt").read_text().splitlines() == ["sub/b.png", "sub/ü c.png", "d.png"]
    predictions = root / ".lightly" / "predictions"
    task, boxes = json.loads((predictions / "tasks.json").read_text())
    schema = json.loads((predictions / task / "schema.json").read_text())
    names = {each["id"]: each["name"] for each in schema["categories"]}
    said = json.loads((predictions / task / "sub" / "b.json").read_text())
    assert said["file_name"] == "sub/b.png"
    assert names[said["predictions"][0]["category_id"]] == "car"
    assert json.loads((predictions / boxes / "d.json").read_text())["predictions"][0]["bbox"] == [
        10,
        5,
        20,
        10,
    ]


def test_fiftyone_gets_its_layout(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    export("fiftyone")
    document = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert document["classes"] == ["bike", "car", "wheel"]
    assert document["labels"]["sub/b"]["attributes"]["sample_id"] == ids["sub/b.png"]
    assert (document["labels"]["sub/b"]["label"], document["labels"]["sub/b"]["confidence"]) == ("car", 0.75)
    assert (tmp_path / "out" / "data" / "sub" / "b.png").is_file()


def test_class_folders_hold_each_image_under_its_suggestion(
    export: Export, tmp_path: Path, ids: dict[str, str]
) -> None:
    export("folders")
    found = {path.parent.name: path.name for path in (tmp_path / "out").glob("*/*b.png")}
    assert found == {"car": f"{ids['sub/b.png']}__sub_b.png"}
    assert len(list((tmp_path / "out" / "_unlabelled").iterdir())) == 2


def test_what_cannot_be_handed_over_is_one_line(
    dataset: Path, selection: Path, export: Export, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="format must be one of .*did you mean 'cvat'"):
        export("cvatt")
    (selection / "selection.parquet").unlink()
    with pytest.raises(UserError, match="run 'sslflow select' first"):
        hand_over(dataset=dataset, selection=selection, output=tmp_path / "out", tool="csv")


def test_suggestions_come_from_a_table(tmp_path: Path, ids: dict[str, str], dataset: Path) -> None:
    manifest = pd.read_parquet(dataset / "manifest.parquet")
    file = tmp_path / "said.csv"
    file.write_text("filename,label,score\nd.png,7,0.5\nsub/b.png,cat,\nother.png,cat,1\n")
    assert read_suggestions(file, manifest) == {
        ids["d.png"]: Suggestion(label="7", score=0.5),
        ids["sub/b.png"]: Suggestion(label="cat"),
    }
    file.write_text("name,klass\nd.png,cat\n")
    with pytest.raises(
        UserError, match="the columns must be label, and sample_id or filename; got name, klass"
    ):
        read_suggestions(file, manifest)
