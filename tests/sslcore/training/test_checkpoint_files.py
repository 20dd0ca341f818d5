"""Checkpoints on disk: whole or not there, verified, the last few and the best kept."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from sslcore.training.checkpoint_files import CheckpointFiles


def state(number: int) -> dict[str, Any]:
    return {"weights": torch.full((1000,), float(number)), "history": [{"epoch": number}]}


def names(folder: Path) -> list[str]:
    return sorted(path.name.rsplit("-", 1)[0] for path in folder.iterdir())


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path / "run")
    assert files.load() is None
    files.save(state(7), 7)
    loaded = files.load()
    assert loaded is not None
    assert loaded[1] == 7
    assert torch.equal(loaded[0]["weights"], state(7)["weights"])
    assert loaded[0]["history"] == [{"epoch": 7}]


def test_the_last_few_and_the_best_are_kept(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path, keep=2)
    for step in range(1, 6):
        files.save(state(step), step, best=step in (1, 2))
    assert names(tmp_path) == ["best-000000002", "step-000000004", "step-000000005"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_a_damaged_one_falls_back_on_the_one_before(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = CheckpointFiles(tmp_path)
    files.save(state(1), 1)
    path = files.save(state(2), 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": bytes(content[:500]), "flipped": bytes(content), "emptied": b""}[damage])
    with caplog.at_level(logging.WARNING):
        loaded = files.load()
    assert loaded is not None
    assert loaded[1] == 1
    assert len(caplog.messages) == 1
    assert f"checkpoint {path} is damaged" in caplog.text


def test_if_all_are_damaged_there_is_none(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path)
    files.save(state(1), 1).write_bytes(b"")
    assert files.load() is None


def test_a_write_that_fails_leaves_the_ones_before_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = CheckpointFiles(tmp_path)
    files.save(state(1), 1)

    def full(content: object, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        files.save(state(2), 2)
    assert names(tmp_path) == ["step-000000001"]


def test_what_a_killed_run_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".partial-1").write_bytes(b"half")
    files = CheckpointFiles(tmp_path)
    assert files.load() is None
    files.save(state(1), 1)
    assert names(tmp_path) == ["step-000000001"]


def test_nothing_that_unpickles_is_loaded(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path)
    files.save({"path": Path("x")}, 1)
    with pytest.raises(Exception, match="[Ww]eights.only"):
        files.load()
