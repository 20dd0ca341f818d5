"""A Prefect server with a process worker runs what `prefect deploy --all` deployed, on its schedule."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tasks.dvc_process import dvc_environment
from tasks.workspace import STAGES, Workspace

pytestmark = pytest.mark.slow

PREFECT = str(Path(sys.executable).with_name("prefect"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], *, cwd: Path, env: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(what: str, ready: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(f"{what} did not come within {seconds:g} s")


def schedule_every_few_seconds(root: Path) -> None:
    """Leave prefect.yaml as it is shipped but for the cron, which would be due at night."""
    path = root / "prefect.yaml"
    content = yaml.safe_load(path.read_text())
    (nightly,) = [each for each in content["deployments"] if each["name"] == "nightly"]
    nightly["schedules"] = [{"interval": 20, "active": True}]
    path.write_text(yaml.safe_dump(content))


def test_a_scheduled_deployment_runs_the_pipeline(
    make_small_workspace: Callable[[str], Workspace], tmp_path: Path
) -> None:
    workspace = make_small_workspace("deployed")
    root = workspace.root
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    env = {
        **dvc_environment(),
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PWD": str(root),
    }
    env |= {"PREFECT_SERVER_API_PORT": str(port), "NO_COLOR": "1"}
    schedule_every_few_seconds(root)
    server = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    worker = [PREFECT, "worker", "start", "--pool", "sslflow", "--limit", "1"]
    with running(server, cwd=tmp_path, env=env, log=tmp_path / "server.log"):
        wait_for("the server", lambda: httpx.get(f"{api}/health").status_code == 200)
        for words in (
            ["work-pool", "create", "sslflow", "--type", "process"],
            ["--no-prompt", "deploy", "--all"],
        ):
            done = subprocess.run([PREFECT, *words], cwd=root, env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        with running(worker, cwd=tmp_path, env=env, log=tmp_path / "worker.log"):
            runs: list[dict[str, str]] = []

            def completed() -> bool:
                runs[:] = httpx.post(f"{api}/flow_runs/filter", json={"sort": "START_TIME_ASC"}).json()
                ended = [
                    run["state_type"]
                    for run in runs
                    if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED")
                ]
                assert "FAILED" not in ended, (tmp_path / "worker.log").read_text()[-3000:]
                assert "CRASHED" not in ended, (tmp_path / "worker.log").read_text()[-3000:]
                return bool(ended)

            wait_for("a completed run", completed, seconds=600)
        tasks = httpx.post(f"{api}/task_runs/filter", json={}).json()
    assert {task["name"].split("-")[0] for task in tasks} >= set(STAGES)
    assert (root / "reports" / "index.html").is_file()
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"],
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        text=True,
    )
    assert status.stdout.strip() == "Data and pipelines are up to date."
    assert os.environ.get("PREFECT_API_URL") is None
