"""Labels that people add, merged with the data set's own."""

from pathlib import Path

import pandas as pd
import pytest

from sslcore.errors import UserError
from sslcore.labels import merge_labels, read_labels


@pytest.fixture
def manifest() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": ["id0", "id1", "id2", "id3"],
            "filename": ["a.png", "sub/b.png", "c.png", "d.png"],
            "label": ["cat", None, None, "dog"],
            "duplicates": [[], ["copy of b.png"], None, []],
        }
    )


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_missing_folder_leaves_the_labels_of_the_manifest(tmp_path: Path, manifest: pd.DataFrame) -> None:
    assert read_labels(tmp_path / "none", manifest) == {"id0": "cat", "id3": "dog"}


def test_added_labels_are_merged_and_win(tmp_path: Path, manifest: pd.DataFrame) -> None:
    folder = write(
        tmp_path, one="filename,label\nsub/b.png,cow\na.png,lion\n", two="sample_id,label\nid2,cat\n"
    )
    merged = merge_labels(folder, manifest)
    assert merged.labels == {"id0": "lion", "id1": "cow", "id2": "cat", "id3": "dog"}
    assert (merged.num_from_dataset, merged.num_from_files, merged.num_unknown) == (1, 3, 0)


def test_each_file_is_a_round_or_as_many_as_it_names(tmp_path: Path, manifest: pd.DataFrame) -> None:
    assert merge_labels(tmp_path / "none", manifest).num_rounds == 0
    folder = write(tmp_path, empty="filename,label\n", gone="filename,label\nx.png,cow\n")
    assert merge_labels(folder, manifest).num_rounds == 0
    folder = write(
        tmp_path,
        hand="filename,label\na.png,cat\nsub/b.png,cow\n",
        tool="sample_id,label,round\nid1,cow,1\nid2,cat,2\nid3,dog,2\n",
    )
    assert merge_labels(folder, manifest).num_rounds == 3


def test_names_that_are_not_in_the_manifest_are_counted(tmp_path: Path, manifest: pd.DataFrame) -> None:
    merged = merge_labels(write(tmp_path, one="filename,label\nx.png,cow\nc.png,cat\n"), manifest)
    assert merged.labels["id2"] == "cat"
    assert merged.num_unknown == 1


def test_the_name_of_a_copy_labels_the_sample(tmp_path: Path, manifest: pd.DataFrame) -> None:
    assert read_labels(write(tmp_path, one="filename,label\ncopy of b.png,cow\n"), manifest)["id1"] == "cow"


def test_what_a_spreadsheet_writes_is_accepted(tmp_path: Path, manifest: pd.DataFrame) -> None:
    text = '\ufeffsample_id, filename ,label\r\n,"sub\\b.png", dairy cow \r\n\r\nid2,,"a ""b"", c"\r\n'
    labels = read_labels(write(tmp_path, one=text), manifest)
    assert labels["id1"] == "dairy cow"
    assert labels["id2"] == 'a "b", c'


def test_saying_the_same_twice_is_no_conflict(tmp_path: Path, manifest: pd.DataFrame) -> None:
    folder = write(tmp_path, one="filename,label\nc.png,cat\nc.png,cat\n", two="sample_id,label\nid2,cat\n")
    assert read_labels(folder, manifest)["id2"] == "cat"


def test_a_conflict_between_files_names_both(tmp_path: Path, manifest: pd.DataFrame) -> None:
    folder = write(tmp_path, ann="filename,label\nc.png,cat\n", bob="sample_id,label\nid1,cow\nid2,dog\n")
    with pytest.raises(UserError, match=r"'cat' in ann\.csv, line 2 and 'dog' in bob\.csv, line 3"):
        read_labels(folder, manifest)


def test_a_conflict_inside_a_file_names_both_lines(tmp_path: Path, manifest: pd.DataFrame) -> None:
    folder = write(tmp_path, ann="filename,label\nc.png,cat\na.png,cat\nc.png,dog\n")
    with pytest.raises(
        UserError, match=r"'c\.png' is 'cat' in ann\.csv, line 2 and 'dog' in ann\.csv, line 4"
    ):
        read_labels(folder, manifest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,lable\nc.png,cat\n", r"ann\.csv, line 1: unknown column 'lable'; did you mean 'label'"),
        ("filename;label\nc.png;cat\n", r"line 1: unknown column 'filename;label'"),
        ("label\ncat\n", r"line 1: no column 'filename' or 'sample_id'"),
        ("filename\nc.png\n", r"line 1: no column 'label'"),
        ("filename,label,label\n", r"line 1: a column is there twice"),
        ("", r"line 1: no header"),
        ("filename,label\nc.png\n", r"line 2: 2 cells expected \(filename,label\), got 1"),
        ("filename,label\n\nc.png,\n", r"line 3: no label for 'c\.png'"),
        ("filename,label\n,cat\n", r"line 2: neither a filename nor a sample_id"),
        ("filename,label,round\nc.png,cat,0\n", r"line 2: round must be a whole number from 1 on, got '0'"),
        ('filename,label\n"c.png,cat\n', r"line 2: not valid CSV"),
    ],
)
def test_a_wrong_file_gives_one_line(tmp_path: Path, manifest: pd.DataFrame, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_labels(write(tmp_path, ann=text), manifest)
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding_is_named(tmp_path: Path, manifest: pd.DataFrame) -> None:
    (tmp_path / "ann.csv").write_bytes("filename,label\nc.png,Küche\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"ann\.csv is not UTF-8 text"):
        read_labels(tmp_path, manifest)
