"""Tables of labels and of suggestions as people and programs write them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sslcore.data import read_manifest
from sslcore.errors import UserError
from sslcore.labels.formats.tables import read_csv, read_parquet
from sslcore.labels.suggestions import read_suggestions


@pytest.mark.parametrize(
    "text", ["filename,label\na.png,cat,\nb.png,,\n", "filename,label,\na.png,cat,\nb.png,,\n"]
)
def test_a_comma_at_the_end_shifts_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert [(each.filename, each.label) for each in read_csv(tmp_path / "a.csv")] == [
        ("a.png", "cat"),
        ("b.png", None),
    ]


@pytest.mark.parametrize("row", ["a.png", "a.png,cat,dog"])
def test_a_row_of_another_length_is_named(row: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"filename,label\nb.png,cat\n{row}\n")
    with pytest.raises(UserError, match=r"a\.csv, line 3: 2 cells expected"):
        list(read_csv(tmp_path / "a.csv"))


def test_whole_numbers_with_gaps_stay_whole(tmp_path: Path) -> None:
    table = pd.DataFrame({"filename": ["a.png", "b.png", "c.png"], "label": [3, None, 1]})
    assert table["label"].dtype == float
    for kind in ("float64", "Int64"):
        table.astype({"label": kind}).to_parquet(tmp_path / "a.parquet")
        assert [each.label for each in read_parquet(tmp_path / "a.parquet")] == ["3", None, "1"]


@pytest.mark.parametrize("label", [b"cat", ["cat"]])
def test_other_kinds_are_refused(label: Any, tmp_path: Path) -> None:
    pd.DataFrame({"filename": ["a.png"], "label": [label]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match="row 1: label must be text"):
        list(read_parquet(tmp_path / "a.parquet"))


def test_suggested_classes_may_be_called_none(dataset: Path, ids: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("filename,label,score\na.png,None,0.5\nd.png,NA,\nsub/b.png,,\n")
    found = read_suggestions(tmp_path / "s.csv", read_manifest(dataset))
    assert {key: (each.label, each.score) for key, each in found.items()} == {
        ids["a.png"]: ("None", 0.5),
        ids["d.png"]: ("NA", None),
    }


@pytest.mark.parametrize("score", ["5", "-0.1", "high", "nan"])
def test_a_score_is_a_share(score: str, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(f"filename,label,score\na.png,cat,{score}\n")
    with pytest.raises(UserError, match=r"s\.csv, line 2: a score must be"):
        read_suggestions(tmp_path / "s.csv", read_manifest(dataset))
