"""A log gets a line now and then, a terminal a bar."""

import logging
from collections.abc import Mapping

import pytest

from tasks import progress
from tasks.progress import BarMonitor, LineMonitor


class Sink:
    def __init__(self) -> None:
        self.got: list[tuple[int, Mapping[str, float]]] = []

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.got.append((step, values))


def test_a_phase_ends_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    monitor = LineMonitor(Sink())
    with caplog.at_level(logging.INFO):
        for done in (1, 2, 3, 3):
            monitor.progress(done, 3, "files", loss=0.5)
        monitor.progress(3, 3, "steps")
    assert caplog.messages == ["3 of 3 files  loss 0.5", "3 of 3 steps"]


def test_a_long_phase_speaks_in_between(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monitor = LineMonitor(Sink())
    with caplog.at_level(logging.INFO):
        monitor.progress(1, None, "frames")
        monitor.progress(2, None, "frames")
    assert caplog.messages == ["1 frames", "2 frames"]


def test_metrics_go_to_the_sink() -> None:
    sink = Sink()
    LineMonitor(sink).metrics(3, {"loss": 1.0})
    assert sink.got == [(3, {"loss": 1.0})]


def test_the_bar_shows_each_phase(capsys: pytest.CaptureFixture[str]) -> None:
    monitor = BarMonitor(Sink())
    monitor.progress(1, 2, "files")
    monitor.progress(5, 10, "steps", loss=2.5)
    monitor.close()
    shown = capsys.readouterr().err
    assert "files" in shown
    assert "loss 2.5" in shown
