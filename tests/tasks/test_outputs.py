"""Whole outputs or none."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from tasks.outputs import bring_back, locked_hash, replacing


def written(place: Path) -> dict[str, str]:
    return {
        str(file.relative_to(place)): file.read_text() for file in sorted(place.rglob("*")) if file.is_file()
    }


def break_half_way(output: Path) -> float:
    (output / "half").write_text("half")
    return 1 / 0


def test_what_a_step_wrote_replaces_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "data" / "dataset"
    place.mkdir(parents=True)
    (place / "old").write_text("old")
    with replacing({".": place}) as output:
        (output / "new").write_text("new")
        assert written(place) == {"old": "old"}
    assert written(place) == {"new": "new"}
    assert sorted(each.name for each in place.parent.iterdir()) == ["dataset"]


def test_a_step_that_raises_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    place.mkdir()
    (place / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing({".": place}) as output:
        break_half_way(output)
    assert written(tmp_path) == {"dataset/old": "old"}


def test_a_step_that_raises_leaves_no_empty_folders(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        replacing({".": tmp_path / "runs" / "1" / "data" / "dataset"}) as output,
    ):
        break_half_way(output)
    assert list(tmp_path.iterdir()) == []


def test_one_step_can_fill_two_places(tmp_path: Path) -> None:
    places = {"evaluate.json": tmp_path / "metrics" / "evaluate.json", "plots": tmp_path / "plots"}
    with replacing(places) as output:
        (output / "evaluate.json").write_text("{}")
        (output / "plots").mkdir()
        (output / "plots" / "a.csv").write_text("a")
    assert written(tmp_path) == {"metrics/evaluate.json": "{}", "plots/a.csv": "a"}


def test_what_a_killed_run_left_is_put_right(tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    (tmp_path / ".dataset.former").mkdir()
    (tmp_path / ".dataset.former" / "old").write_text("old")
    (tmp_path / ".dataset.partial").mkdir()
    with pytest.raises(ZeroDivisionError), replacing({".": place}):
        _ = 1 / 0
    assert written(tmp_path) == {"dataset/old": "old"}


def make_locked(root: Path, place: str, files: dict[str, str]) -> str:
    """Write a DVC cache and a dvc.lock by hand, as DVC 3 lays them out."""
    cache = root / ".dvc" / "cache" / "files" / "md5"
    entries = []
    for name, text in files.items():
        digest = hashlib.md5(text.encode()).hexdigest()
        (cache / digest[:2]).mkdir(parents=True, exist_ok=True)
        (cache / digest[:2] / digest[2:]).write_text(text)
        entries.append({"md5": digest, "relpath": name})
    listing = json.dumps(entries)
    digest = hashlib.md5(listing.encode()).hexdigest() + ".dir"
    (cache / digest[:2]).mkdir(parents=True, exist_ok=True)
    (cache / digest[:2] / digest[2:]).write_text(listing)
    lock = {"schema": "2.0", "stages": {"pretrain": {"outs": [{"path": place, "md5": digest}]}}}
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    return digest


def test_an_output_that_dvc_deleted_comes_back_from_its_cache(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    digest = make_locked(tmp_path, "models/backbone", {"model.json": "{}", "deep/weights": "w"})
    assert locked_hash(tmp_path, "models/backbone") == digest
    assert bring_back(tmp_path, "models/backbone")
    assert written(tmp_path / "models" / "backbone") == {"model.json": "{}", "deep/weights": "w"}


def test_an_output_that_is_there_is_left_alone(tmp_path: Path) -> None:
    make_locked(tmp_path, "models/backbone", {"model.json": "{}"})
    (tmp_path / "models" / "backbone").mkdir(parents=True)
    assert bring_back(tmp_path, "models/backbone")
    assert written(tmp_path / "models" / "backbone") == {}


def test_without_a_cache_nothing_half_is_brought_back(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    make_locked(tmp_path, "models/backbone", {"model.json": "{}", "weights": "w"})
    digest = hashlib.md5(b"w").hexdigest()
    (tmp_path / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
    assert not bring_back(tmp_path, "models/backbone")
    assert list((tmp_path / "models").iterdir()) == []
