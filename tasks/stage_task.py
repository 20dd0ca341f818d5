"""Make the Prefect task of a stage: versioned, with retries and a time limit, without a cache."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from httpx import HTTPError
from prefect import Task, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from tasks.launch import StageFailed, StageOutcome, launch

__all__ = ["GPU", "stage_task"]

log = logging.getLogger(__name__)

GPU = "gpu"
"""Tag of the stages that use a GPU. One at a time: ``prefect concurrency-limit create gpu 1``."""

StageTask = Task[..., StageOutcome]


def stage_task(
    name: str,
    *,
    version: str,
    retries: int = 1,
    retry_delay_seconds: float = 10,
    timeout_seconds: float | None = None,
    tags: Sequence[str] = (),
) -> StageTask:
    """Return the task ``name(workspace, overrides=(), up_to_date=()) -> StageOutcome``.

    Args:
        name: One of the six stages.
        version: Raised when what the stage makes of the same input changes.
        retries: Further attempts, only after failures that may pass: a killed process, disk, network, memory.
        retry_delay_seconds: Wait before each of them.
        timeout_seconds: Limit on the wall-clock time of an attempt; the process tree is stopped then.
            Prefect's own limit is not used: it does not reach a task in a thread.
        tags: Tags, for Prefect's concurrency limits.
    """

    @task(
        name=name,
        version=version,
        description=f"Launches `sslflow {name}` unless it is up to date.",
        retries=retries,
        retry_delay_seconds=retry_delay_seconds,
        retry_condition_fn=_may_pass,
        tags=tags,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def run(workspace: Path, overrides: Sequence[str] = (), up_to_date: Collection[str] = ()) -> StageOutcome:
        say = _logger().info
        outcome = launch(
            name,
            workspace=workspace,
            overrides=overrides,
            log=say,
            timeout_seconds=timeout_seconds,
            pipeline=_pipeline(),
            up_to_date=up_to_date,
        )
        said = f" in {outcome.seconds:.1f} s" if outcome.status == "done" else f": {outcome.summary}"
        say(f"{name}: {outcome.status}{said}")
        if outcome.status != "unchanged":
            _leave_artifact(outcome)
        return outcome

    return run


def _may_pass(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    error = state.data
    return isinstance(error, StageFailed) and error.may_pass


def _logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    return get_run_logger() if TaskRunContext.get() else log


def _pipeline() -> str | None:
    name, identity = flow_run.get_name(), flow_run.get_id()
    return f"{name}-{identity}" if identity else None


def _leave_artifact(outcome: StageOutcome) -> None:
    """Leave a note on the run's page. It must never fail a stage that has succeeded."""
    if TaskRunContext.get() is None:
        return
    place = "the workspace" if outcome.output == "." else f"`{outcome.output}/`"
    note = (
        f"**{outcome.stage}** {outcome.status} in {outcome.seconds:.1f} s, in {place}\n\n{outcome.summary}\n"
    )
    if outcome.mlflow_run_id:
        note += f"\nMLflow run `{outcome.mlflow_run_id}`\n"
    try:
        create_markdown_artifact(key=outcome.stage, markdown=note, description=f"Outcome of {outcome.stage}")
    except (PrefectException, HTTPError, OSError) as error:
        _logger().warning("no artifact for %s: %s", outcome.stage, error)
