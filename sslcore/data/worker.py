"""A process that examines files: ``python -m sslcore.data.worker PARENT``, started by `sslcore.data.pool`.

Jobs come in on standard input and findings go out on standard output, as messages: a line of JSON that ends
with the number of bytes that follow, and those bytes. A process of its own, rather than one forked or
spawned by multiprocessing: it runs no line of the caller's script, imports no torch, is safe beside threads,
and when it dies the pool sees at once at which file. Between findings it says that it makes progress.
"""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from sslcore.data.encoding import StoreFormat
from sslcore.data.examine import Finding, FrameFinding, examine_file
from sslcore.data.measures import Measures
from sslcore.data.media import Limits
from sslcore.data.quarantine import Problem
from sslcore.data.source_file import SourceFile

__all__ = ["finding_from_message", "receive", "send"]

PULSE_SECONDS = 0.25


def send(stream: BinaryIO, content: dict[str, Any], data: bytes = b"") -> None:
    """Write a message."""
    stream.write(json.dumps([content, len(data)]).encode() + b"\n")
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; ``None`` at the end, also in the middle of a message."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    content, length = json.loads(line)
    data = stream.read(length)
    return (content, data) if len(data) == length else None


def finding_from_message(content: dict[str, Any], data: bytes) -> Finding:
    """Return the finding that a worker sent."""
    problem = content["problem"]
    content["problem"] = Problem(**problem) if problem else None
    content["measures"] = _measures(content["measures"])
    content["frames"] = tuple(
        FrameFinding(**{**frame, "measures": _measures(frame["measures"])}) for frame in content["frames"]
    )
    return Finding(**content, data=data)


def _measures(content: Any) -> Any:
    return None if content is None else Measures(**content)


def _send_finding(stream: BinaryIO, finding: Finding) -> None:
    content = dataclasses.asdict(dataclasses.replace(finding, data=b""))
    del content["data"]
    send(stream, content, finding.data)


class _Pulse:
    """Says that there is progress, but not more often than the parent needs to know."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._last = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now > self._last + PULSE_SECONDS:
            self._last = now
            send(self._stream, {"alive": True})


def _die_first() -> None:
    """Where memory runs out, have the system end this process rather than another: it is replaced."""
    with suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _end_with(parent: int) -> None:
    """End when the parent does, in the middle of a long video too."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Examine files until standard input ends, or the parent is gone."""
    if len(sys.argv) > 1 and os.name == "posix":  # elsewhere the parent's number never changes
        threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    _die_first()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    jobs = sys.stdin.buffer
    findings = os.fdopen(os.dup(1), "wb")
    send(findings, {"ready": True})
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what C decoders print of bad files; the quarantine says it in one line
        os.dup2(nowhere, stream)
    while (message := receive(jobs)) is not None:
        job, _ = message
        how: dict[str, Any] = {
            "frames": job["frames"],
            "limits": Limits(**job["limits"]),
            "store": StoreFormat(**job["store"]),
            "progress": _Pulse(findings),
        }
        try:
            for file, spool in zip(job["files"], job["spools"], strict=True):
                _send_finding(findings, examine_file(SourceFile(**file), spool=Path(spool), **how))
        except BaseException:
            send(findings, {"failed": traceback.format_exc()})
            raise


if __name__ == "__main__":
    main()
