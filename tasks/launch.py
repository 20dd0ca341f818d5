"""Launch a stage as a process of its own: through DVC when the settings are the workspace's, else directly.

``sslflow STAGE`` is the only thing that runs a stage. Here it is started, listened to, and stopped.
"""

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sslcore.choices import check_choice
from sslcore.errors import SslflowError, UserError
from tasks.dvc_process import dvc_command, dvc_environment, explain, is_chatter, skip_reason
from tasks.fingerprints import affected_stages
from tasks.lifeline import LAUNCHER_PID
from tasks.provenance import PIPELINE
from tasks.stage import StageOutcome, read_outcome
from tasks.streaming import Ended, run_streaming
from tasks.workspace import LOCK_HELD, STAGES, Workspace

__all__ = ["StageFailed", "StageOutcome", "holding", "launch"]

_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())
_LAST_LINES = 15
_MAY_PASS = ("OSError", "ConnectionError", "TimeoutError", "InterruptedError", "OutOfMemoryError")


class StageFailed(SslflowError):
    """A stage failed, and it was not the user's mistake; exit code 1.

    Attributes:
        may_pass: Whether another attempt may succeed: it was killed, or disk, network or memory failed it.
    """

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


@contextmanager
def holding(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace's lock over several launches; inside another ``holding`` of it, do nothing.

    Raises:
        UserError: If another run holds the lock.
    """
    if workspace.root in _held.get():
        yield
        return
    with workspace.lock():
        token = _held.set(_held.get() | {workspace.root})
        try:
            yield
        finally:
            _held.reset(token)


def launch(
    stage: str,
    *,
    workspace: Path,
    overrides: Sequence[str] = (),
    log: Callable[[str], None],
    timeout_seconds: float | None = None,
    pipeline: str | None = None,
    up_to_date: Collection[str] = (),
) -> StageOutcome:
    """Run one stage in a process of its own and wait for it.

    Args:
        stage: One of the six.
        workspace: The workspace's root.
        overrides: ``section.key=value``. If none can change this stage's result, it runs through
            ``dvc repro --single-item`` and is skipped when it is up to date; else ``sslflow STAGE --set``
            writes to runs/FINGERPRINT/.
        log: Called with each line of output as it appears.
        timeout_seconds: Limit on the wall-clock time.
        up_to_date: Stages that DVC is known to skip (from ``unchanged_stages``); it is not asked again.
        pipeline: Name under which the stages of one pipeline run are grouped in MLflow.

    Returns:
        What became of it: "done", "unchanged", or "restored" (an earlier result, out of DVC's cache).

    Raises:
        UserError: If the user has to change something; one line.
        StageFailed: If anything else went wrong.
    """
    check_choice(stage, STAGES, name="stage")
    place = Workspace(workspace.absolute())
    through_dvc = stage not in affected_stages(place.params(), place.params(overrides))
    if through_dvc and stage in up_to_date:
        return _not_run(stage, "unchanged", 0.0)
    started = time.monotonic()
    with holding(place):
        place.outcome_file(stage).unlink(missing_ok=True)
        try:
            ended = run_streaming(
                dvc_command("repro", "--single-item", stage) if through_dvc else _directly(stage, overrides),
                cwd=place.root,
                env=_environment(pipeline),
                log=lambda line: None if through_dvc and is_chatter(line) else log(line),
                timeout_seconds=timeout_seconds,
            )
        except TimeoutError as error:
            raise StageFailed(f"{stage} was stopped: {error}", may_pass=True) from None
    outcome = read_outcome(place, stage)
    if ended.returncode == 0:
        status = skip_reason(ended.lines, stage) or "done"
        return outcome or _not_run(stage, status, time.monotonic() - started)
    raise _error(stage, ended, outcome, place.root if through_dvc else None)


def _directly(stage: str, overrides: Sequence[str]) -> list[str]:
    program = Path(sys.executable).with_name("sslflow")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "flows.cli"]
    return [*command, stage, *(word for override in overrides for word in ("--set", override))]


def _environment(pipeline: str | None) -> dict[str, str]:
    ours = {LAUNCHER_PID: str(os.getpid()), LOCK_HELD: "1", "DVC_NO_ANALYTICS": "1"}
    return {**dvc_environment(), **ours, **({PIPELINE: pipeline} if pipeline else {})}


_NOT_RUN = {
    "unchanged": "up to date",
    "restored": "an earlier result with the same inputs and settings, out of DVC's cache",
    "done": "dvc.yaml has another command for it, which left no word on what it did",
}


def _not_run(stage: str, status: str, seconds: float) -> StageOutcome:
    """Say what DVC did when the stage itself left no word."""
    return StageOutcome(
        stage=stage,
        status=status,
        summary=_NOT_RUN[status],
        error=None,
        seconds=round(seconds, 2),
        output=".",
        mlflow_run_id=None,
    )


def _error(stage: str, ended: Ended, outcome: StageOutcome | None, dvc_root: Path | None) -> SslflowError:
    """Turn a process that did not end well into the error to raise."""
    if outcome is not None and outcome.status == "user_error":
        return UserError(outcome.error or f"{stage} could not run")
    if outcome is not None and outcome.status == "interrupted":
        return StageFailed(f"{stage} was interrupted: {outcome.error}", may_pass=True)
    if outcome is not None and outcome.status == "failed":
        kind = (outcome.error or "").partition(":")[0]
        return StageFailed(f"{stage} failed: {outcome.error}", may_pass=kind.endswith(_MAY_PASS))
    if dvc_root is not None and (complaint := explain(ended.lines, root=dvc_root)):
        if outcome is None and "[Errno" not in complaint and "unexpected error" not in complaint:
            return UserError(complaint)
        return StageFailed(f"{stage}: {complaint}", may_pass=True)
    own = [line.removeprefix("error: ") for line in ended.lines if line.startswith("error: ")]
    if outcome is None and own:
        return UserError(own[-1])
    last = "\n".join(ended.lines[-_LAST_LINES:])
    if outcome is None:
        return StageFailed(
            f"{stage} ended without a word; was it killed, or out of memory?\n{last}", may_pass=True
        )
    return StageFailed(f"{stage} failed after its work was done\n{last}")
