"""The versioned Prefect task that launches the select stage: on the CPU."""

from tasks.stage_task import stage_task

__all__ = ["select"]

select = stage_task("select", version="1")
