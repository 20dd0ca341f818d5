"""The versioned Prefect task that launches the report stage: on the CPU."""

from tasks.stage_task import stage_task

__all__ = ["report"]

report = stage_task("report", version="1")
