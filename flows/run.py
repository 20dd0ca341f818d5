"""Start the pipeline from the command line: checks first, then Prefect, which takes seconds to start."""

import atexit
import logging
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from flows.overrides import Overrides
from flows.preparation import prepared
from sslcore.errors import SslflowError
from tasks.telemetry import switch_off
from tasks.workspace import STAGES

if TYPE_CHECKING:
    from prefect import Flow

    from tasks.launch import StageOutcome

__all__ = ["outcomes_of", "run_pipeline"]

log = logging.getLogger(__name__)

_SERVER = "prefect.server.api.server:create_app"


def run_pipeline(
    workspace: Path, *, source: str | None = None, overrides: Sequence[str] = ()
) -> "list[StageOutcome]":
    """Run the pipeline as a Prefect flow in this process; without PREFECT_API_URL, with Prefect's own server.

    When nothing is to be done and there is no server to tell, Prefect is not started.

    Args:
        workspace: The workspace, or a folder in it.
        source: A new source, relative to the current folder; written to params.yaml.
        overrides: ``section.key=value`` words, for this run only.

    Raises:
        UserError: If the user has to change something; one line.
        StageFailed: If a stage failed for another reason.
        SslflowError: If Prefect's temporary server does not start.
    """
    switch_off()
    with prepared(workspace, source=source, overrides=overrides, base=Path.cwd()) as place:
        if (
            not overrides
            and not os.environ.get("PREFECT_API_URL")
            and (nothing := _nothing_to_do(place.root))
        ):
            return nothing
        typed = Overrides.from_words(overrides, params_file=place.params_file)
        from flows.pipeline import pipeline

        with _no_server_left(), _late_server_in_one_line():
            return outcomes_of(pipeline, workspace=str(place.root), overrides=typed)


def outcomes_of(flow: "Flow[..., list[StageOutcome]]", **parameters: Any) -> "list[StageOutcome]":
    """Run a flow here and return what it returned.

    The engine's value is asked for and not the final state's: a server whose database is locked for a while
    gives back a state without it.
    """
    from prefect.exceptions import FailedRun

    try:
        outcomes: list[StageOutcome] = flow(**parameters)
    except FailedRun as error:
        raise SslflowError(str(error)) from None
    return outcomes


def _nothing_to_do(workspace: Path) -> "list[StageOutcome]":
    """Return the six outcomes if all stages are up to date: no temporary server is started to say so."""
    from tasks.dvc_process import unchanged_stages
    from tasks.launch import launch

    fresh = unchanged_stages(workspace)
    if set(fresh) != set(STAGES):
        return []
    return [launch(stage, workspace=workspace, up_to_date=fresh, log=log.info) for stage in STAGES]


@contextmanager
def _late_server_in_one_line() -> Iterator[None]:
    """Prefect raises a RuntimeError when its temporary server does not answer in time."""
    try:
        yield
    except RuntimeError as error:
        if "ephemeral Prefect API server" not in str(error):
            raise
        limit = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
        raise SslflowError(
            f"Prefect's temporary server did not answer in time ({limit}={os.environ[limit]}); nothing was"
            " run: try again when the machine is less busy, or start one ('prefect server start') and set"
            " PREFECT_API_URL"
        ) from None


@contextmanager
def _no_server_left() -> Iterator[None]:
    """See that Prefect's temporary server ends with this process, also when SIGTERM or SIGKILL ends it.

    Prefect stops it at a normal exit only.
    """
    done = threading.Event()
    threading.Thread(target=_tell_guard, args=(_guard(), done), daemon=True).start()
    try:
        yield
    finally:
        done.set()


@cache
def _guard() -> "subprocess.Popen[str]":
    """Start a small shell that waits for the end of our pipe, and so of us, and then stops what we named."""
    script = 'while read pid; do pids="$pids $pid"; done; [ -z "$pids" ] || kill $pids'
    guard = subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    atexit.register(guard.communicate)  # registered before Prefect's own, so it runs after that
    return guard


def _tell_guard(guard: "subprocess.Popen[str]", done: threading.Event) -> None:
    """Name the server to the guard as soon as it is there."""
    assert guard.stdin is not None
    for _ in range(600):
        for child in psutil.Process().children():
            if _is_server(child):
                guard.stdin.write(f"{child.pid}\n")
                guard.stdin.flush()
                return
        if done.wait(0.2):
            return


def _is_server(process: psutil.Process) -> bool:
    try:
        return _SERVER in process.cmdline()
    except psutil.Error:
        return False
