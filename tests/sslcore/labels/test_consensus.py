"""From what several people said to one label per sample."""

from typing import Any

import pandas as pd
import pytest

from sslcore.errors import UserError
from sslcore.labels.consensus import Consensus, agree
from sslcore.labels.exchange import Annotation, Box

MANIFEST = pd.DataFrame({"sample_id": ["1", "2"], "filename": ["a.png", "b.png"], "width": 40, "height": 20})


def agreed(*annotations: Annotation) -> Consensus:
    return agree(annotations, MANIFEST)


def said(label: str | None, when: str = "", who: str = "", **more: Any) -> Annotation:
    return Annotation(place="here", sample_id="1", label=label, when=when, annotator=who, **more)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-01-01T11:00:00+02:00", "2026-01-01T10:00:00Z"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00.500Z"),
        ("2026-01-01", "2026-01-01T00:00:01"),
        ("", "2026-01-01"),
    ],
)
def test_the_later_annotation_of_a_person_counts_whatever_its_zone(earlier: str, later: str) -> None:
    early, late = said("cat", earlier, "ann"), said("dog", later, "ann")
    assert agreed(early, late).labels == agreed(late, early).labels == {"1": "dog"}


def test_of_the_same_time_the_last_counts() -> None:
    assert agreed(said("cat", who="ann"), said("dog", who="ann")).labels == {"1": "dog"}


def test_different_labels_of_nobody_in_particular_are_a_conflict() -> None:
    found = agreed(said("cat"), said("dog"))
    assert found.labels == {}
    assert [each.said for each in found.conflicts] == ["cat 1, dog 1"]
    assert agreed(said("cat"), said("dog"), said("dog")).labels == {"1": "dog"}


def test_what_a_skip_and_a_tie_take_away() -> None:
    assert agreed(said("cat", who="ann"), said(None, who="ann", skipped=True)).withdrawn == {"1"}
    assert agreed(said("cat", who="ann"), said("dog", who="bob")).withdrawn == {"1"}
    assert agreed(said("cat", who="ann"), said(None, who="bob", skipped=True)).withdrawn == set()
    assert agreed(said(None)).withdrawn == set()


def test_blanks_around_a_class_are_not_part_of_it() -> None:
    box = Box(" wheel", 1, 2, 3, 4)
    found = agreed(said(" cat ", boxes=(box,)), said("cat"))
    assert found.labels == {"1": "cat"}
    assert found.boxes["1"][0].label == "wheel"


@pytest.mark.parametrize("annotation", [said(" "), said("cat", boxes=(Box("", 1, 2, 3, 4),))])
def test_a_class_needs_a_name(annotation: Annotation) -> None:
    with pytest.raises(UserError, match="here: a class without a name"):
        agreed(annotation)


def test_boxes_drawn_on_a_smaller_image_are_scaled() -> None:
    found = agreed(said(None, boxes=(Box("wheel", 1, 2, 3, 4),), size=(20, 5)))
    assert found.boxes["1"] == (Box("wheel", 2, 8, 6, 16),)
