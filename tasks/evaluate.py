"""The versioned Prefect task that launches the evaluate stage: one at a time on a GPU."""

from tasks.stage_task import GPU, stage_task

__all__ = ["evaluate"]

evaluate = stage_task("evaluate", version="1", tags=[GPU])
