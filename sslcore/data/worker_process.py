"""A process that reads files, and the next one when it dies or hangs.

Bad decoders crash, take all memory, or never end. A file at which the process died is tried once more, alone
in a new one. One at which it gave no sign of progress for too long is in quarantine at once, as
``timed_out``: a second try would take as long again, and the next ingestion makes it anyway.
"""

import dataclasses
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from sslcore.data.examine import Finding
from sslcore.data.quarantine import Problem, Reason
from sslcore.data.source_file import SourceFile
from sslcore.data.worker import finding_from_message, receive, send

__all__ = ["WorkerProcess", "watch"]

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2
Found = list[tuple[Finding, Path]]
# What became of the process. It hung: it was ended at the file that comes next. It was ended: just when its
# last finding came, so no file is to blame.
Fate = Literal["lives", "died", "hung", "ended"]


def watch(workers: Sequence["WorkerProcess"], stopped: threading.Event) -> None:
    """End processes that hang, until ``stopped`` is set; runs in a thread of its own."""
    while not stopped.wait(WATCH_SECONDS):
        for worker in list(workers):
            worker.end_if_late()


class WorkerProcess:
    """A process that reads files, and the next one when it dies.

    Args:
        stopped: Set when no process is to be started any more.
    """

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._starting = threading.Lock()
        self._watched = threading.Lock()
        self._deadline: float | None = None
        self._was_late = False
        self._start()

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-W", "ignore", "-m", "sslcore.data.worker", str(os.getpid())]
        with self._starting:
            if self._stopped.is_set():
                raise RuntimeError("ingest was stopped")
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs = cast(BinaryIO, self._process.stdin)
        self._findings = cast(BinaryIO, self._process.stdout)
        self._ready = False

    def run(
        self, files: Sequence[SourceFile], how: Mapping[str, Any], patience_seconds: float, spool: Path
    ) -> Found:
        """Have files looked at; called by one thread at a time.

        Args:
            files: What to look at.
            how: What the process is told beside the files (`sslcore.data.worker`).
            patience_seconds: How long it may give no sign of progress with one of them.
            spool: With which the names of the files begin that take the frames of videos.

        Returns:
            Their findings in order, each with the file that has its frames.

        Raises:
            RuntimeError: If no process starts, it fails by a mistake of ours, or ``stopped`` is set.
        """
        names = [Path(f"{spool}-{number}") for number in range(len(files))]
        found: Found = []
        alone = False  # whether the next file has ended a process before, and has one to itself now
        while len(found) < len(files):
            rest = slice(len(found), len(found) + 1 if alone else len(files))
            more, fate = self._try(files[rest], names[rest], how, patience_seconds)
            found += more
            if fate == "died":
                file, end = files[len(found)], self._epitaph()
                log.warning("the process that was reading %s %s", file.name, end)
                if alone:
                    detail = (
                        f"the process that decodes it {end}, twice: a decoder crashes, or memory runs out"
                    )
                    found.append((_bad(file, "crashed", detail), names[len(found)]))
                alone = not alone
            else:
                alone = False
            if fate == "hung":
                file = files[len(found)]
                log.warning("the process that was reading %s hung, and was ended", file.name)
                detail = f"no progress in {patience_seconds:g} seconds (ingest.max_seconds_per_file)"
                found.append((_bad(file, "timed_out", detail), names[len(found)]))
            if fate != "lives":
                self._again()
        return found

    def _try(
        self, files: Sequence[SourceFile], spools: Sequence[Path], how: Mapping[str, Any], patience: float
    ) -> tuple[Found, Fate]:
        """Return the findings up to the file at which the process dies, if it does."""
        if not self._ready:
            if receive(self._findings) is None:
                raise RuntimeError("a worker process of ingest did not start; its error is above")
            self._ready = True
        request = {
            **how,
            "files": [dataclasses.asdict(file) for file in files],
            "spools": [str(spool) for spool in spools],
        }
        with suppress(BrokenPipeError):  # it has died: reading says so
            send(self._jobs, request)
        found: Found = []
        for file, spool in zip(files, spools, strict=True):
            message, was_late = self._answer(patience)
            if message is None:
                return found, "hung" if was_late else "died"
            content, data = message
            if "failed" in content:
                raise RuntimeError(f"a worker process of ingest failed at {file.name}:\n{content['failed']}")
            found.append((finding_from_message(content, data), spool))
            if was_late:
                return found, "ended"
        return found, "lives"

    def _answer(self, patience: float) -> tuple[tuple[dict[str, Any], bytes] | None, bool]:
        """Wait for the next finding; also return whether the process was ended because none came in time."""
        while True:
            with self._watched:
                self._deadline = time.monotonic() + patience
            message = receive(self._findings)
            with self._watched:
                self._deadline = None
                was_late, self._was_late = self._was_late, False
            if message is None or "alive" not in message[0] or was_late:
                return (None if message is not None and "alive" in message[0] else message), was_late

    def end_if_late(self) -> None:
        """End the process if it has given no sign of progress for too long; called by another thread."""
        with self._watched:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._deadline, self._was_late = None, True
                self._process.kill()

    def _again(self) -> None:
        self._process.wait()
        if self._stopped.is_set():
            raise RuntimeError("ingest was stopped")
        self.close()
        self._start()

    def _epitaph(self) -> str:
        code = self._process.wait()
        if self._stopped.is_set():
            raise RuntimeError("ingest was stopped")
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        """End the process, whatever it does."""
        with self._starting:
            self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the pipes, when no thread uses them any more."""
        for stream in (self._jobs, self._findings):
            with suppress(BrokenPipeError):
                stream.close()


def _bad(file: SourceFile, reason: Reason, detail: str) -> Finding:
    return Finding(name=file.name, kind="nothing", problem=Problem(file.name, reason, detail))
