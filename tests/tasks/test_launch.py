"""A stage is started, listened to and stopped; and what became of it is told in one line."""

import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sslcore.errors import UserError
from tasks import launch as module
from tasks.launch import StageFailed, StageOutcome, launch
from tasks.streaming import run_streaming
from tasks.workspace import Workspace

OUTCOME = (
    '{"stage": "select", "status": "%s", "summary": "s", "error": %s, "seconds": 1.0, "output": "runs/x", '
    '"mlflow_run_id": null}'
)

Put = Callable[[str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("ingest: {source: pictures}\n")
    (tmp_path / ".state" / "outcomes").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def fake_stage(root: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put a script of a few lines in the place of `sslflow STAGE --set ...`."""

    def put(code: str) -> None:
        script = root / "stage.py"
        script.write_text(textwrap.dedent(code))
        monkeypatch.setattr(module, "_directly", lambda stage, overrides: [sys.executable, "-u", str(script)])

    return put


def run(root: Path, lines: list[str] | None = None, timeout_seconds: float | None = None) -> StageOutcome:
    log = (lines if lines is not None else []).append
    return launch(
        "select", workspace=root, overrides=["select.budget=3"], log=log, timeout_seconds=timeout_seconds
    )


def write_outcome(status: str, error: str = "null") -> str:
    return f"open('.state/outcomes/select.json', 'w').write('''{OUTCOME % (status, error)}''')"


def test_lines_arrive_while_the_stage_runs(tmp_path: Path) -> None:
    code = "import time\nprint('first', flush=True)\ntime.sleep(0.8)\nprint('a\\rb\\nlast')"
    heard: list[tuple[str, float]] = []
    started = time.monotonic()
    command = [sys.executable, "-u", "-c", code]
    run_streaming(
        command,
        cwd=tmp_path,
        env=os.environ,
        log=lambda line: heard.append((line, time.monotonic() - started)),
    )
    assert [line for line, _ in heard] == ["first", "a", "b", "last"]
    assert heard[-1][1] - heard[0][1] > 0.5


def test_a_stage_that_is_done_leaves_its_outcome(root: Path, fake_stage: Put) -> None:
    fake_stage(f"print('hello'); {write_outcome('done')}")
    lines: list[str] = []
    outcome = run(root, lines)
    assert (outcome.status, outcome.output, lines) == ("done", "runs/x", ["hello"])


def test_the_users_mistake_comes_back_as_one_line(root: Path, fake_stage: Put) -> None:
    fake_stage(
        f"{write_outcome('user_error', chr(34) + 'budget must be >= 1' + chr(34))}; raise SystemExit(2)"
    )
    with pytest.raises(UserError, match="^budget must be >= 1$"):
        run(root)


def test_a_failure_says_whether_another_attempt_may_help(root: Path, fake_stage: Put) -> None:
    for error, may_pass in (("OSError: disk full", True), ("ValueError: a bug", False)):
        fake_stage(f"{write_outcome('failed', chr(34) + error + chr(34))}; raise SystemExit(1)")
        with pytest.raises(StageFailed, match=f"select failed: {error}") as caught:
            run(root)
        assert caught.value.may_pass is may_pass


def test_a_stage_that_is_killed_says_so(root: Path, fake_stage: Put) -> None:
    fake_stage("import os; print('last words', flush=True); os.kill(os.getpid(), 9)")
    with pytest.raises(StageFailed, match="ended without a word; was it killed, or out of memory") as caught:
        run(root)
    assert "last words" in str(caught.value)


def test_an_old_outcome_is_not_taken_for_a_new_one(root: Path, fake_stage: Put) -> None:
    (root / ".state" / "outcomes" / "select.json").write_text(OUTCOME % ("done", "null"))
    fake_stage("raise SystemExit(1)")
    with pytest.raises(StageFailed):
        run(root)


def test_a_time_limit_leaves_no_child(root: Path, fake_stage: Put) -> None:
    fake_stage(
        """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.pid, flush=True)
        time.sleep(60)
        """
    )
    lines: list[str] = []
    with pytest.raises(StageFailed, match="select was stopped: not done after 1 s"):
        run(root, lines, timeout_seconds=1)
    assert not psutil.pid_exists(int(lines[0])) or psutil.Process(int(lines[0])).status() == "zombie"


def test_an_interrupt_leaves_no_child(root: Path, fake_stage: Put) -> None:
    fake_stage("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch("select", workspace=root, overrides=["select.budget=3"], log=interrupt)
    assert not psutil.pid_exists(pids[0])


def test_two_launches_at_once_are_one_too_many(root: Path, fake_stage: Put) -> None:
    fake_stage(f"import time; time.sleep(1.5); {write_outcome('done')}")
    thread = threading.Thread(target=run, args=(root,))
    thread.start()
    time.sleep(0.5)
    with pytest.raises(UserError, match="is in use by"):
        run(root)
    thread.join()
    with Workspace(root).lock():
        pass
