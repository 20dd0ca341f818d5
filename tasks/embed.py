"""The versioned Prefect task that launches the embed stage: one at a time on a GPU."""

from tasks.stage_task import GPU, stage_task

__all__ = ["embed"]

embed = stage_task("embed", version="1", tags=[GPU])
