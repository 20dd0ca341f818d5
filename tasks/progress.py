"""What a person sees while a stage works: a bar on a terminal, a line now and then in a log."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["BarMonitor", "LineMonitor", "MetricsSink", "make_monitor"]

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class MetricsSink(Protocol):
    """Where metrics go: the tracking server."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record values at a step."""


class LineMonitor:
    """Logs a line at most every ten seconds, and one when a phase is finished."""

    def __init__(self, sink: MetricsSink) -> None:
        """Send metrics to ``sink``."""
        self._sink = sink
        self._unit = ""
        self._last = 0.0
        self._finished = False

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Log how far it is."""
        now = time.monotonic()
        if unit != self._unit:
            self._unit, self._last, self._finished = unit, now, False
        just_finished = total is not None and done >= total and not self._finished
        self._finished = self._finished or just_finished
        if just_finished or (now - self._last >= SECONDS_BETWEEN_LINES and not self._finished):
            self._last = now
            log.info("%d%s %s%s", done, "" if total is None else f" of {total}", unit, _shown(figures))

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Pass the metrics on."""
        self._sink.metrics(step, values)

    def close(self) -> None:
        """Nothing to close."""


class BarMonitor:
    """Draws a bar."""

    def __init__(self, sink: MetricsSink) -> None:
        """Send metrics to ``sink``."""
        self._sink = sink
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[shown]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("", visible=False, shown="")
        self._unit = ""
        self._bar.start()

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Move the bar; a new unit starts a new one."""
        if unit != self._unit:
            self._unit = unit
            self._task = self._bar.add_task(unit, shown="")
        self._bar.update(self._task, completed=done, total=total, shown=_shown(figures))

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Pass the metrics on."""
        self._sink.metrics(step, values)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


def make_monitor(sink: MetricsSink) -> BarMonitor | LineMonitor:
    """Return a bar on a terminal, else lines."""
    return BarMonitor(sink) if sys.stderr.isatty() else LineMonitor(sink)


def _shown(figures: Mapping[str, float]) -> str:
    return "".join(f"  {name} {value:.4g}" for name, value in figures.items())
