"""Run one stage in this process: config, lock, tracking, whole outputs, around one call into sslcore."""

import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sslcore.config import Params
from sslcore.errors import TrainingInterrupted, UserError
from tasks.fingerprints import WHOLE, Plan, plan_stage
from tasks.lifeline import watch_launcher
from tasks.outputs import bring_back, replacing
from tasks.progress import make_monitor
from tasks.steps import STEPS, StepReport, Surroundings
from tasks.tracking import Tracker
from tasks.workspace import INPUTS, OUTPUTS, Workspace, write_json

__all__ = ["StageOutcome", "read_outcome", "run_stage"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage; also written to .state/outcomes/STAGE.json."""

    stage: str
    status: str
    """done, unchanged, user_error, interrupted (start it again and it goes on) or failed."""
    summary: str
    error: str | None
    seconds: float
    output: str
    """Folder under which the outputs lie, relative to the workspace: "." or runs/FINGERPRINT."""
    mlflow_run_id: str | None


def run_stage(stage: str, *, workspace: Workspace, overrides: Sequence[str] = ()) -> StageOutcome:
    """Run ``stage`` in this process.

    Args:
        stage: One of the six.
        workspace: Where.
        overrides: ``section.key=value``; if they touch the stage, it writes to runs/FINGERPRINT/, and a whole
            result that is there already is left as it is.

    Raises:
        UserError: If params.yaml, an override or an input is wrong, or another run uses the workspace.
        Exception: Whatever the step raises; outputs are then as they were before.
    """
    watch_launcher()
    started = time.monotonic()
    outcome = _Outcome(stage, workspace, started)
    try:
        with workspace.lock(), _terminated_as_exception():
            plan = plan_stage(workspace, stage, overrides)
            outcome.plan = plan
            if plan.is_whole:
                return outcome.write("unchanged", "a whole result with these settings is there")
            _require_inputs(plan)
            report, tracker = _run(workspace, plan, overrides)
            return outcome.write("done", report.summary, run_id=tracker.run_id)
    except UserError as error:
        outcome.write("user_error", error=str(error))
        raise
    except TrainingInterrupted as error:
        outcome.write("interrupted", error=str(error))
        raise
    except BaseException as error:
        outcome.write("failed", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        _bring_back_missing(workspace, stage)


def _run(workspace: Workspace, plan: Plan, overrides: Sequence[str]) -> tuple[StepReport, Tracker]:
    params = workspace.params(overrides)
    tracker = Tracker(workspace, params, plan)
    places = {name: plan.place(plan.stage, name) for name in OUTPUTS[plan.stage]}
    monitor = make_monitor(tracker)
    try:
        if plan.stage == "pretrain":
            params = _with_fetched_weights(workspace, tracker, params)
        champion = _champion(workspace, tracker) if plan.stage == "evaluate" else None
        with replacing(places) as output:
            given = Surroundings(workspace, plan, output, monitor, champion)
            report = STEPS[plan.stage](params, given)
    except BaseException as error:
        monitor.close()
        stopped = isinstance(error, TrainingInterrupted) or not isinstance(error, Exception)
        try:
            tracker.finish("KILLED" if stopped else "FAILED", {}, [])
        except Exception as second:  # as on a full disk, which the first says already
            log.warning("%s: its end could not be recorded: %s", plan.stage, second)
        raise
    monitor.close()
    if plan.stage == "pretrain":
        shutil.rmtree(given.checkpoints(params), ignore_errors=True)
    if plan.fingerprint is not None:
        write_json(plan.root / WHOLE, {"stage": plan.stage, "overrides": list(overrides)})
    tracker.finish("FINISHED", report.figures, _small_files(workspace, plan))
    log.info("%s: %s", plan.stage, report.summary)
    _to_registry(workspace, plan, tracker, report)
    return report, tracker


def _to_registry(workspace: Workspace, plan: Plan, tracker: Tracker, report: StepReport) -> None:
    """Register what pretrain made; promote what evaluate found better. Without MLflow, neither."""
    from tasks import registry

    if tracker.client is None or tracker.run_id is None:
        return
    with tracker.answering("write to the registry"):
        if plan.stage == "pretrain":
            version = registry.register(tracker.client, tracker.run_id, plan.place("pretrain"))
            log.info("registered as %s version %s, alias challenger", registry.BACKBONE, version)
        if plan.stage == "evaluate":
            judged: Any = report
            line = registry.promote_if_better(
                tracker.client,
                judged.model_id,
                candidate=judged.candidate_accuracy,
                champion=judged.champion_accuracy,
            )
            log.info("%s", line)
    if plan.stage == "pretrain" and tracker.client is None:
        tracker.keep_backbone()


def _with_fetched_weights(workspace: Workspace, tracker: Tracker, params: Params) -> Params:
    """Fetch ``pretrain.weights: registry:VERSION`` (or an alias) and name the folder in its place."""
    from tasks.registry import fetch_version

    prefix, _, version = (params.pretrain.weights or "").partition(":")
    if prefix != "registry":
        return params
    folder: Path | None = None
    if tracker.client is not None:
        with tracker.answering(f"fetch version {version}"):
            folder = fetch_version(tracker.client, workspace, version)
    if folder is None:
        raise UserError(f"pretrain.weights: registry:{version} cannot be fetched, MLflow does not answer")
    weights = {"weights": os.path.relpath(folder)}
    return params.model_copy(update={"pretrain": params.pretrain.model_copy(update=weights)})


def _champion(workspace: Workspace, tracker: Tracker) -> Path | None:
    from tasks.registry import fetch_champion

    if tracker.client is not None:
        with tracker.answering("fetch the champion"):
            return fetch_champion(tracker.client, workspace)
    return None


def _require_inputs(plan: Plan) -> None:
    for stage in INPUTS[plan.stage]:
        for name in OUTPUTS[stage]:
            if not plan.place(stage, name).exists():
                place = OUTPUTS[stage][name]
                raise UserError(f"{place} is not there: run 'sslflow {stage}' first, or all with 'dvc repro'")


def _small_files(workspace: Workspace, plan: Plan) -> list[Path]:
    """What is worth keeping beside the run: settings, lock, and the stage's small outputs."""
    files = [workspace.params_file, workspace.root / "dvc.lock"]
    for name in OUTPUTS[plan.stage]:
        place = plan.place(plan.stage, name)
        within = sorted(place.glob("*")) if place.is_dir() else [place]
        files += [file for file in within if file.suffix in (".json", ".csv", ".html")]
    return files


def _bring_back_missing(workspace: Workspace, stage: str) -> None:
    for place in OUTPUTS[stage].values():
        if not (workspace.root / place).exists() and bring_back(workspace.root, place):
            log.info("%s is as it was before", place)


@contextmanager
def _terminated_as_exception() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that partial outputs go and the run is marked as killed."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt(f"stopped by signal {number}")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Outcome:
    def __init__(self, stage: str, workspace: Workspace, started: float) -> None:
        self.stage, self.workspace, self.started = stage, workspace, started
        self.plan: Plan | None = None

    def write(
        self, status: str, summary: str = "", *, error: str | None = None, run_id: str | None = None
    ) -> StageOutcome:
        root = self.plan.root if self.plan else self.workspace.root
        outcome = StageOutcome(
            stage=self.stage,
            status=status,
            summary=summary,
            error=error,
            seconds=round(time.monotonic() - self.started, 2),
            output=os.path.relpath(root, self.workspace.root),
            mlflow_run_id=run_id,
        )
        write_json(self.workspace.outcome_file(self.stage), asdict(outcome))
        return outcome


def read_outcome(workspace: Workspace, stage: str) -> StageOutcome | None:
    """Return what the last process of a stage left, or None."""
    try:
        return StageOutcome(**json.loads(workspace.outcome_file(stage).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
