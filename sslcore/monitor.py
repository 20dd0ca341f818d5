"""How a step tells whoever runs it how far it is: a protocol, and the silent default."""

from collections.abc import Mapping
from typing import Protocol

__all__ = ["SILENT", "Monitor", "SilentMonitor"]


class Monitor(Protocol):
    """What a step calls while it works. Calls are cheap and may come often."""

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Report that ``done`` of ``total`` units (``None``: not known) are finished.

        ``figures`` are shown beside the bar, for example ``loss=4.2``. ``unit`` names the phase
        ("files", "epochs", "samples"); a new unit starts a new bar.
        """

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record named values at a step (an epoch in training)."""


class SilentMonitor:
    """A monitor that does nothing, for library use."""

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Ignore the progress."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Ignore the metrics."""


SILENT = SilentMonitor()
