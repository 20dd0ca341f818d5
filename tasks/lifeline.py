"""A stage ends when whoever launched it is gone, even through DVC and a shell in between."""

import logging
import os
import signal
import threading
import time

import psutil

__all__ = ["LAUNCHER_PID", "watch_launcher"]

log = logging.getLogger(__name__)

LAUNCHER_PID = "SSLFLOW_LAUNCHER_PID"
"""Environment variable with the process id of the launcher."""


def watch_launcher(interval_seconds: float = 1.0) -> None:
    """Start a thread that terminates this process when the launcher's process no longer runs."""
    pid = os.environ.get(LAUNCHER_PID)
    if pid is None:
        return
    try:
        launcher = psutil.Process(int(pid))
    except psutil.NoSuchProcess:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    threading.Thread(target=_watch, args=(launcher, interval_seconds), daemon=True).start()


def _watch(launcher: psutil.Process, interval_seconds: float) -> None:
    while launcher.is_running() and launcher.status() != psutil.STATUS_ZOMBIE:
        time.sleep(interval_seconds)
    log.error("process %d that launched this stage is gone: stopping", launcher.pid)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
    os.kill(os.getpid(), signal.SIGKILL)
