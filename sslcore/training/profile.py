"""A trace of a few steps, for ui.perfetto.dev or chrome://tracing."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

__all__ = ["tracing"]

log = logging.getLogger(__name__)

SKIPPED, WARMUP, TRACED = 2, 1, 4


@contextmanager
def tracing(path: Path | None) -> Iterator[Callable[[], None]]:
    """Give a function to call after each step; the steps 4 to 7 of this process are traced.

    Args:
        path: The .json.gz file to write; None traces nothing.
    """
    if path is None:
        yield lambda: None
        return
    written: list[Path] = []

    def write(profiler: profile) -> None:
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(path))
        written.append(path)
        log.info("a trace of %d steps is in %s; open it in ui.perfetto.dev", TRACED, path)

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    plan = schedule(wait=SKIPPED, warmup=WARMUP, active=TRACED, repeat=1)
    with profile(activities=activities, schedule=plan, on_trace_ready=write, acc_events=True) as profiler:
        yield profiler.step
    if not written:
        log.warning("no trace was written: it takes %d steps", SKIPPED + WARMUP + TRACED)
