"""The files of single tools: what is in them is read, or refused in one line that names the file."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sslcore.errors import UserError
from sslcore.labels import Box, Suggestion
from sslcore.labels.exchange import Annotation, HandOver
from sslcore.labels.formats import FORMATS, cvat, reader_of, writer_of

SCHEMA = {"task_type": "classification", "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]}
Files = dict[str, Any]


def save(folder: Path, files: Files) -> Path:
    """Write documents and return what an import is given: the only one, or the folder."""
    for name, document in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(document))
    return folder if len(files) > 1 else folder / next(iter(files))


def read_cvat(folder: Path, marks: str) -> list[Annotation]:
    file = folder / "annotations.xml"
    image = f'<image id="0" name="a.png" width="80" height="40">{marks}</image>'
    file.write_text(f"<annotations>{image}</annotations>")
    return list(cvat.read_reviewed(file))


def lightly(folder: Path, **tasks: list[dict[str, Any]]) -> list[Annotation]:
    """Read predictions of several tasks on one image."""
    files: Files = {"tasks.json": list(tasks)}
    for task, predictions in tasks.items():
        files |= {
            f"{task}/schema.json": SCHEMA,
            f"{task}/a.json": {"file_name": "a.png", "predictions": predictions},
        }
    return list(reader_of("lightly")(save(folder, files)))


BOX = {"category_id": 1, "bbox": [1, 2, 3, 4]}


def test_lightly_tasks_on_one_image_are_one_annotation(tmp_path: Path) -> None:
    other = BOX | {"bbox": [5, 6, 7, 8]}
    (said,) = lightly(tmp_path, objects=[BOX], classes=[{"category_id": 0}], more=[other])
    assert (said.filename, said.label, said.annotator) == ("a.png", "cat", "")
    assert said.boxes == (Box("dog", 1, 2, 3, 4), Box("dog", 5, 6, 7, 8))


def test_lightly_tasks_that_disagree_are_several_annotators_and_keep_the_boxes(tmp_path: Path) -> None:
    cat, dog = {"category_id": 0}, {"category_id": 1}
    said = lightly(tmp_path, one=[cat], objects=[BOX], two=[dog], three=[cat])
    assert [(each.annotator, each.label) for each in said] == [
        ("one", "cat"),
        ("two", "dog"),
        ("three", "cat"),
    ]
    assert {each.boxes for each in said} == {(Box("dog", 1, 2, 3, 4),)}


def task(filename: str, suggestion: Suggestion | None = None) -> HandOver:
    return HandOver("0" * 20, filename, width=40, height=20, rank=1, suggestion=suggestion)


def export(tool: str, folder: Path, *tasks: HandOver) -> None:
    writer_of(tool)(tasks, folder, classes=["cat"], image_root="")


@pytest.mark.parametrize("names", [("x/i.jpg", "x/i.png"), ("schema.jpg",)])
def test_lightly_predictions_that_would_be_one_file_are_refused(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match=rf"{names[-1]}: its prediction would be .*\.json, which is the file of"
    ):
        export("lightly", tmp_path, *(task(name, Suggestion("cat")) for name in names))
    assert not list(tmp_path.iterdir())


def test_lightly_names_that_have_no_prediction_may_differ_in_the_extension_only(tmp_path: Path) -> None:
    export("lightly", tmp_path, task("x/i.jpg", Suggestion("cat")), task("x/i.png"), task("x/schema.jpg"))
    assert (tmp_path / "filenames.txt").read_text() == "x/i.jpg\nx/i.png\nx/schema.jpg\n"


SUGGESTIONS = {
    "a class": Suggestion("cat", score=0.5),
    "a class without a score": Suggestion("cat"),
    "a box": Suggestion(boxes=(Box("cat", 1, 2, 3, 4, score=0.5),)),
    "a box without a score": Suggestion(boxes=(Box("cat", 1, 2, 3, 4),)),
}


@pytest.mark.parametrize("case", SUGGESTIONS)
@pytest.mark.parametrize(("tool", "file"), [("coco", "annotations.json"), ("cvat", "annotations.xml")])
def test_suggestions_that_nobody_looked_at_are_no_labels(
    tool: str, file: str, case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    export(tool, tmp_path, task("a.png", SUGGESTIONS[case]))
    with caplog.at_level("INFO"):
        assert list(reader_of(tool)(tmp_path / file)) == []
    assert f"{tmp_path / file}" in caplog.text
    assert "passed over" in caplog.text


@pytest.mark.parametrize(
    ("source", "read"),
    [("auto", False), ("file", False), ("manual", True), ("semi-auto", True), (None, True)],
)
def test_what_a_person_made_or_changed_in_cvat_is_read(
    source: str | None, read: bool, tmp_path: Path
) -> None:
    mark = "" if source is None else f'source="{source}"'
    box = f'<box label="dog" xtl="1" ytl="2" xbr="4" ybr="6" {mark}/>'
    (said,) = read_cvat(tmp_path, f'<tag label="cat" source="manual"/><tag label="cow" source="auto"/>{box}')
    assert said.label == "cat"
    assert said.boxes == ((Box("dog", 1, 2, 3, 4),) if read else ())


@pytest.mark.parametrize("case", SUGGESTIONS)
@pytest.mark.parametrize(("tool", "file"), [("coco", "annotations.json"), ("cvat", "annotations.xml")])
def test_suggestions_that_people_confirmed_are_labels(
    tool: str, file: str, case: str, tmp_path: Path
) -> None:
    export(tool, tmp_path, task("a.png", SUGGESTIONS[case]))
    (said,) = reader_of(tool, confirmed=True)(tmp_path / file)
    assert said.label == SUGGESTIONS[case].label
    assert len(said.boxes) == len(SUGGESTIONS[case].boxes)


def test_what_has_no_label_yet_is_not_skipped(tmp_path: Path) -> None:
    (said,) = lightly(tmp_path / "lightly", classes=[])
    assert (said.label, said.skipped) == (None, False)
    (tmp_path / "folders" / "_unlabelled").mkdir(parents=True)
    (tmp_path / "folders" / "_unlabelled" / "a.png").touch()
    (said,) = reader_of("folders")(tmp_path / "folders")
    assert (said.label, said.skipped) == (None, False)


def test_fiftyone_has_null_for_what_has_no_suggestion(tmp_path: Path) -> None:
    boxes = Suggestion(boxes=(Box("cat", 1, 2, 3, 4),))
    export("fiftyone", tmp_path, task("a.png", Suggestion("cat")), task("sub/b.png"), task("c.png", boxes))
    labels = json.loads((tmp_path / "labels.json").read_text())["labels"]
    assert (labels["sub/b"], labels["c"]) == (None, None)
    assert (labels["a"]["label"], labels["a"]["attributes"]["sample_id"]) == ("cat", "0" * 20)
    assert [each.filename for each in reader_of("fiftyone")(tmp_path)] == ["a"]


@pytest.mark.parametrize("said", [[0, 1], ["cat"], {"label": ["cat", "dog"]}])
def test_several_fiftyone_labels_are_refused(said: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a': a list of labels \(Classifications\); a sample has one label"):
        list(
            reader_of("fiftyone")(
                save(tmp_path, {"a.json": {"classes": ["cat", "dog"], "labels": {"a": said}}})
            )
        )


@pytest.mark.parametrize(
    ("name", "sample_id", "filename"),
    [
        ("cat/foo__bar.jpg", "", "foo__bar.jpg"),
        ("cat/sub/foo__bar.jpg", "", "sub/foo__bar.jpg"),
        ("cat/0123456789abcdef0123__d.png", "0123456789abcdef0123", "d.png"),
        ("cat/0123456789abcdef0123__a__b.png", "0123456789abcdef0123", "a__b.png"),
        ("cat/0123__d.png", "", "0123__d.png"),
    ],
)
def test_only_what_the_export_names_has_an_id_before_two_underscores(
    name: str, sample_id: str, filename: str, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    (said,) = reader_of("folders")(tmp_path)
    assert (said.label, said.sample_id, said.filename) == ("cat", sample_id, filename)


def turned(degrees: float) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box of 20 x 10 around (50, 30), each corner turned."""
    angle = math.radians(degrees)
    corners = [(x, y) for x in (-10, 10) for y in (-5, 5)]
    xs = [50 + x * math.cos(angle) - y * math.sin(angle) for x, y in corners]
    ys = [30 + x * math.sin(angle) + y * math.cos(angle) for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 200.5, 359])
def test_a_turned_cvat_box_becomes_the_upright_one_around_it(degrees: float, tmp_path: Path) -> None:
    box = f'<box label="dog" xtl="40" ytl="25" xbr="60" ybr="35" rotation="{degrees}"/>'
    (said,) = read_cvat(tmp_path, box)
    (found,) = said.boxes
    corners = found.left, found.top, found.left + found.width, found.top + found.height
    assert corners == pytest.approx(turned(degrees))


@pytest.mark.parametrize(
    "place",
    [
        'xtl="4" ytl="2" xbr="4" ybr="6"',
        'xtl="5" ytl="2" xbr="4" ybr="6"',
        'xtl="nan" ytl="2" xbr="4" ybr="6"',
        'xtl="1" ytl="2" xbr="inf" ybr="6"',
        'xtl="1" ytl="2" xbr="4" ybr="6" rotation="nan"',
        'xtl="1" ytl="2" xbr="4" ybr="6" rotation="inf"',
        'xtl="1" ytl="2" xbr="4"',
    ],
)
def test_a_cvat_box_without_a_size_is_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="image 'a.png': a box "):
        read_cvat(tmp_path, f'<box label="dog" {place}/>')


def test_cvat_for_video_is_refused_with_what_to_do(tmp_path: Path) -> None:
    track = '<track id="0" label="dog"><box frame="0" xtl="1" ytl="2" xbr="4" ybr="6"/></track>'
    (tmp_path / "a.xml").write_text(f"<annotations>{track}</annotations>")
    with pytest.raises(
        UserError, match=r"a\.xml is a 'CVAT for video 1\.1' file; export .*'CVAT for images 1\.1'"
    ):
        list(cvat.read_reviewed(tmp_path / "a.xml"))


def test_a_list_of_names_has_no_labels_for_lightly(tmp_path: Path) -> None:
    export("lightly", tmp_path, task("a.png"))
    with pytest.raises(UserError, match=r"filenames\.txt is a file, and a list of names has no labels; give"):
        list(reader_of("lightly")(tmp_path / "filenames.txt"))
    assert "reads its filename lists" not in FORMATS["lightly"]


@pytest.mark.parametrize("mark", ['<tag label=""/>', "<tag/>", '<tag label=" "/>'])
def test_a_cvat_tag_without_a_label_is_refused(mark: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="image 'a.png': a class needs a name"):
        read_cvat(tmp_path, mark)


def test_blanks_around_a_class_are_cut_off(tmp_path: Path) -> None:
    (tmp_path / " cat ").mkdir()
    (tmp_path / " cat " / "a.png").touch()
    (said,) = reader_of("folders")(tmp_path)
    assert said.label == "cat"
    (said,) = read_cvat(tmp_path, '<tag label=" cat "/><tag label="cat"/>')
    assert said.label == "cat"


def test_cvat_says_how_large_the_image_was_that_the_boxes_are_on(tmp_path: Path) -> None:
    (said,) = read_cvat(tmp_path, '<tag label="cat"/>')
    assert said.size == (80, 40)
