"""The versioned Prefect task that launches the ingest stage: an attempt more, since drives come and go."""

from tasks.stage_task import stage_task

__all__ = ["ingest"]

ingest = stage_task("ingest", version="1", retries=2)
