"""The versioned Prefect task that launches the pretrain stage: one at a time on a GPU."""

from tasks.stage_task import GPU, stage_task

__all__ = ["pretrain"]

pretrain = stage_task("pretrain", version="1", tags=[GPU])
