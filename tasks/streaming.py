"""Run a command in a process group of its own, hand on its output line by line, and leave no child behind."""

import codecs
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

__all__ = ["Ended", "run_streaming"]

GRACE_SECONDS = 25.0
"""Time between SIGTERM and SIGKILL: a stage uses it to put outputs back and to close its MLflow run."""
KEPT_LINES = 400


@dataclass(frozen=True)
class Ended:
    """A command that ended by itself."""

    returncode: int
    """As in subprocess: -N when signal N ended it."""
    lines: tuple[str, ...]
    """The last lines of its output, standard error included."""


def run_streaming(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Callable[[str], None],
    timeout_seconds: float | None = None,
    grace_seconds: float = GRACE_SECONDS,
) -> Ended:
    """Run ``command`` to its end.

    Whatever leaves this function, be it the command's end, an exception from ``log``, Ctrl-C, Prefect's
    TerminationSignal or the time limit, nothing of the command's process tree is left running.

    Args:
        command: The program and its arguments.
        cwd: Working directory.
        env: The whole environment.
        log: Called with each line as it appears, without its end; a carriage return ends a line too, so
            that a progress bar shows. Empty lines are left out.
        timeout_seconds: Limit on the wall-clock time; None is no limit.
        grace_seconds: How long a stopped tree may take before it is killed.

    Raises:
        TimeoutError: If the limit is reached; the process tree is gone by then.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdout is not None
    output = _Lines(process.stdout, log)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    try:
        # The wait ends with the process and not with its pipe, which a stray grandchild may hold open. It is
        # short because Prefect can interrupt a thread only between two bytecodes.
        while process.poll() is None:
            output.pump(0.1)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"not done after {timeout_seconds:g} s")
        while output.pump(0):
            pass
        output.flush()
        return Ended(process.returncode, tuple(output.kept))
    finally:
        _stop(process, output, grace_seconds)
        process.stdout.close()


class _Lines:
    """Cuts the bytes of a pipe into lines."""

    def __init__(self, pipe: IO[bytes], log: Callable[[str], None]) -> None:
        self.kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._descriptor = pipe.fileno()
        self._log = log
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._open = True

    def pump(self, seconds: float) -> bool:
        """Hand on what arrives within ``seconds``; return whether something did."""
        if not self._open:
            time.sleep(seconds)
            return False
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        chunk = os.read(self._descriptor, 65536)
        self._open = bool(chunk)
        *lines, self._rest = (self._rest + self._decode(chunk)).replace("\r", "\n").split("\n")
        for line in lines:
            self._say(line)
        return self._open

    def flush(self) -> None:
        """Hand on a last line that has no end."""
        rest, self._rest = self._rest, ""
        self._say(rest)

    def _say(self, line: str) -> None:
        if line := line.rstrip():
            self.kept.append(line)
            self._log(line)


def _stop(process: "subprocess.Popen[bytes]", output: _Lines, grace_seconds: float) -> None:
    """Terminate what is left of the process tree, then kill what does not go."""
    left = _family(process)
    try:
        for member in left:
            _ignoring_the_gone(member.terminate)
        deadline = time.monotonic() + grace_seconds
        while any(map(_runs, left)) and time.monotonic() < deadline:
            output.pump(0.1)  # a full pipe would keep the stage from cleaning up
    finally:  # also when a second Ctrl-C arrives
        for member in {*left, *_family(process)}:
            _ignoring_the_gone(member.kill)
        process.wait()


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Return the running members of the process group, and descendants that left it (torchrun's workers)."""
    family: set[psutil.Process] = set()
    for member in psutil.process_iter():
        try:
            if os.getpgid(member.pid) == process.pid and _runs(member):
                family.update((member, *member.children(recursive=True)))
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return sorted(family, key=lambda member: member.pid)


def _runs(member: psutil.Process) -> bool:
    try:
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _ignoring_the_gone(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        pass
