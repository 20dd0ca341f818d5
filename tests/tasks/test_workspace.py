"""Finding a workspace, and one run at a time in it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sslcore.errors import ConfigError, UserError
from tasks.params_file import params_text
from tasks.workspace import INPUTS, OUTPUTS, STAGES, Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("ingest: {source: pictures}\n")
    return tmp_path


def test_a_workspace_is_found_from_a_folder_inside(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    assert Workspace.find(root / "a" / "b").root == root


def test_a_folder_that_is_none_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path} is no workspace .* 'sslflow init DIR'"):
        Workspace.find(tmp_path)


def test_without_dvc_it_says_what_to_type(root: Path) -> None:
    (root / ".dvc").rmdir()
    with pytest.raises(UserError, match="has no .dvc folder.*'dvc init'"):
        Workspace.find(root)


def test_messages_name_the_params_file_as_it_is_called_there(root: Path) -> None:
    (root / "params.yaml").write_text("ingest: {source: x, fraems: all}\n")
    with pytest.raises(ConfigError, match="^params.yaml: unknown key 'ingest.fraems'; did you mean 'frames'"):
        Workspace(root).params()


def test_a_second_run_is_told_who_has_the_workspace(root: Path) -> None:
    with Workspace(root).lock(), pytest.raises(UserError, match=r"is in use by '.*' \(process \d+\)"):
        with Workspace(root).lock():
            pass
    with Workspace(root).lock():
        pass


def test_a_child_of_the_holder_does_not_wait_for_itself(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace(root).lock():
        monkeypatch.setenv("SSLFLOW_LOCK_HELD", "1")
        with Workspace(root).lock():
            pass


def test_the_lock_ends_with_its_process_however_it_ends(root: Path) -> None:
    code = (
        "import os; from pathlib import Path; from tasks.workspace import Workspace\n"
        f"with Workspace(Path({str(root)!r})).lock(): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with Workspace(root).lock():
        pass


def test_stages_read_only_what_earlier_ones_wrote() -> None:
    assert tuple(INPUTS) == tuple(OUTPUTS) == STAGES
    for stage, inputs in INPUTS.items():
        assert all(STAGES.index(each) < STAGES.index(stage) for each in inputs)


def test_the_sample_params_name_every_setting_with_its_meaning() -> None:
    text = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    fresh = params_text("data/sample")
    assert {name: set(section) for name, section in values.items()} == {
        name: set(section) for name, section in yaml.safe_load(fresh).items()
    }
    said = {line for line in fresh.splitlines() if line.startswith("  # ")}
    assert said <= set(text.splitlines())
