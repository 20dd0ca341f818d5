"""SIGTERM while training: finish the step, write a checkpoint, and leave."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopRequest", "stopping_on_sigterm"]


class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def stopping_on_sigterm() -> Iterator[StopRequest]:
    """Turn a SIGTERM into a request; a second one does what it did before.

    In a thread other than the main one nothing is changed: signals are not its business.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        request.requested = True
        signal.signal(signal.SIGTERM, before)

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
