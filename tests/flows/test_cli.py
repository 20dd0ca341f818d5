"""The command line: exit codes, one line for each mistake, and nothing changed by it."""

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image

from flows.cli import main
from tasks.dvc_process import dvc_environment
from tasks.workspace import Workspace

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("ingest: {source: pictures}\n")
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        Image.new("RGB", (16, 16), (40 * number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capfd.readouterr()
        return code, out, err

    return run_command


def snapshot(root: Path) -> dict[str, bytes]:
    files = (file for file in root.rglob("*") if file.is_file() and ".state" not in file.parts)
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def break_params(root: Path, text: str) -> None:
    (root / "params.yaml").write_text(text)


def make_empty(root: Path) -> None:
    shutil.rmtree(root / "pictures")
    (root / "pictures").mkdir()


def make_texts(root: Path) -> None:
    make_empty(root)
    (root / "pictures" / "notes.txt").write_text("no image")


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty folder": (make_empty, "pictures"),
    "folder of text files": (make_texts, "pictures"),
    "missing source": (lambda root: shutil.rmtree(root / "pictures"), "pictures"),
    "unknown key": (
        lambda root: break_params(root, "ingest: {source: pictures, zzz: 1}\n"),
        "unknown key 'ingest.zzz'",
    ),
    "misspelt key": (
        lambda root: break_params(root, "ingest: {source: pictures, frmes: all}\n"),
        "did you mean 'frames'",
    ),
    "wrong type": (
        lambda root: break_params(root, "ingest: {source: pictures, min_side: big}\n"),
        "ingest.min_side",
    ),
    "no DVC": (lambda root: (root / ".dvc").rmdir(), "dvc init"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_changes_nothing(mistake: str, root: Path, run: Run) -> None:
    assert run("ingest")[0] == 0
    break_it, said = MISTAKES[mistake]
    break_it(root)
    before = snapshot(root)
    code, out, err = run("ingest")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (code, out, len(lines)) == (2, "", 1)
    assert said in lines[0]
    assert "Traceback" not in err
    assert snapshot(root) == before


def test_a_registry_that_does_not_answer_is_one_line(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, out, err = run("models", "list")
    assert (code, out) == (1, "")
    assert "failed: MLflow at http://127.0.0.1:9 does not answer" in err
    assert "Traceback" not in err


def test_a_source_is_checked_before_it_is_written(root: Path, run: Run) -> None:
    before = snapshot(root)
    assert run("ingest", "--source", "")[0] == 2
    assert snapshot(root) == before


def test_a_full_disk_is_one_line(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "data/x")
    monkeypatch.setattr("tasks.stage.run_stage", Mock(side_effect=full))
    code, _, err = run("ingest")
    assert (code, err) == (1, "failed: data/x: No space left on device; make room and run it again\n")


def test_a_workspace_that_cannot_be_made_is_the_users_mistake(root: Path, run: Run) -> None:
    (root / "file").write_text("")
    code, _, err = run("init", "file/x")
    assert code == 2
    assert "cannot be made" in err
    assert "Traceback" not in err


def test_a_second_run_in_the_workspace_is_refused(root: Path, run: Run) -> None:
    with Workspace(root).lock():
        code, _, err = run("ingest")
    assert code == 2
    assert "is in use by" in err


def test_a_stage_without_its_input_says_what_to_run_first(root: Path, run: Run) -> None:
    code, _, err = run("pretrain")
    assert code == 2
    assert "error: data/dataset is not there: run 'sslflow ingest' first, or all with 'dvc repro'" in err


def test_json_says_what_became_of_the_stage(root: Path, run: Run) -> None:
    code, out, _ = run("ingest", "--json")
    outcome = json.loads(out)
    assert (code, outcome["stage"], outcome["status"], outcome["output"]) == (0, "ingest", "done", ".")
    assert json.loads((root / ".state" / "outcomes" / "ingest.json").read_text()) == outcome


def test_an_override_run_is_skipped_when_it_is_whole(root: Path, run: Run) -> None:
    before = (root / "params.yaml").read_text()
    first = json.loads(run("ingest", "--json", "--set", "ingest.min_side=9")[1])
    again = json.loads(run("ingest", "--json", "--set", "ingest.min_side=9")[1])
    assert (first["status"], again["status"]) == ("done", "unchanged")
    assert first["output"] == again["output"] != "."
    assert (root / first["output"] / "data" / "dataset" / "manifest.parquet").is_file()
    assert not (root / "data" / "dataset").exists()
    assert (root / "params.yaml").read_text() == before


@pytest.mark.parametrize("arguments", [("ingst",), ("ingest", "--sat", "x=1"), ("list", "method")])
def test_a_misspelt_command_is_the_users_mistake(arguments: tuple[str, ...], root: Path, run: Run) -> None:
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("what", ["methods", "backbones", "views", "strategies"])
def test_a_list_has_a_line_on_each(what: str, run: Run) -> None:
    code, out, _ = run("list", what, "--json")
    names = json.loads(out)
    assert code == 0
    assert names
    assert all(len(line) > 10 for line in names.values())


@pytest.mark.parametrize(
    "command", ["ingest", "pretrain", "embed", "evaluate", "select", "report", "run", "sample"]
)
def test_help_has_an_example(command: str, run: Run) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"sslflow {command}" in out.split("Example:\n")[1].splitlines()[0]
    assert "\\b" not in out


def test_doctor_says_what_is_missing(root: Path, run: Run) -> None:
    code, out, _ = run("doctor")
    assert code == 0
    assert "ok  source pictures" in out
    assert "--  report reports/index.html: not made yet" in out


@pytest.mark.slow
def test_a_prefect_server_that_is_late_is_told_in_one_line(
    make_small_workspace: Callable[[str], Workspace], tmp_path: Path
) -> None:
    workspace = make_small_workspace("late")
    late = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "0", "PREFECT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run"],
        cwd=workspace.root,
        env={**dvc_environment(), **late},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "failed: Prefect's temporary server did not answer in time" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace.root / "data" / "dataset").exists()
