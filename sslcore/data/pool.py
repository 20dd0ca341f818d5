"""Examine many files in worker processes, with the findings in the order of the files.

A decoder that crashes takes its process with it, and so does the system when memory runs out. The file that
was being read is then tried once more, alone in a new process; if that dies too, the file is in quarantine as
``crashed`` and the others go on.
"""

import dataclasses
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, cast

from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.examine import Finding, examine_file
from sslcore.data.media import Limits
from sslcore.data.quarantine import Problem
from sslcore.data.source_file import SourceFile
from sslcore.data.worker import finding_from_message, receive, send

__all__ = ["Examination", "examine_files"]

log = logging.getLogger(__name__)

# Fewer files than this are read in this process, which is quicker to start, but a decoder that crashes takes
# it along. So none are, but in our own tests.
SMALL_FILES = 0
JOB_FILES = 32
JOB_BYTES = 8 << 20
JOBS_PER_WORKER = 4
NUM_FETCHERS = 16


@dataclass(frozen=True, slots=True)
class Examination:
    """How files are looked at.

    Attributes:
        frames: Which frames of a video to take.
        limits: What images and frames must keep to.
        spool: Folder for the frames of videos until they are in a shard.
        store: In which form samples are stored.
        fetch: Copies a remote file to a path on this disk, or says why that is not possible.
    """

    frames: str
    limits: Limits
    spool: Path
    store: StoreFormat = ORIGINAL
    fetch: Callable[[SourceFile, Path], Problem | None] | None = None


def examine_files(
    files: Iterable[SourceFile], examination: Examination, *, num_workers: int
) -> Iterator[tuple[Finding, Path]]:
    """Yield each file's finding, with the spool file of its frames, in the order of ``files``.

    At most a few jobs per worker are under way, so memory does not grow with the number of files.

    Args:
        files: What to look at.
        examination: How.
        num_workers: Processes; 0 is one per core.
    """
    wanted = num_workers or os.cpu_count() or 1
    files = iter(files)
    few = list(islice(files, SMALL_FILES))
    if len(few) < SMALL_FILES:
        for number, file in enumerate(few):
            spool = examination.spool / f"{number}"
            with _here([file], examination, spool, None) as (local, lost):
                yield lost.get(0) or _examine(local[0], examination, spool), spool
        return
    jobs = _jobs(chain(few, files))
    first = list(islice(jobs, wanted))
    if first:
        yield from _in_processes(chain(first, jobs), examination, len(first))


def _examine(file: SourceFile, how: Examination, spool: Path) -> Finding:
    return examine_file(file, frames=how.frames, limits=how.limits, spool=spool, store=how.store)


@contextmanager
def _here(
    files: list[SourceFile], examination: Examination, spool: Path, threads: ThreadPoolExecutor | None
) -> Iterator[tuple[list[SourceFile], dict[int, Finding]]]:
    """Give files on this disk, remote ones for as long as they are looked at, and those that did not come."""
    if examination.fetch is None:
        yield files, {}
        return
    fetch, most = examination.fetch, examination.limits.max_bytes
    places = [Path(f"{spool}-fetched-{number}") for number in range(len(files))]

    def get(file: SourceFile, place: Path) -> Problem | None:
        if file.kind == "image" and file.num_bytes > most:
            return Problem(
                file.name, "too_large", f"{file.num_bytes / 1e6:.0f} MB, more than max_megapixels can need"
            )
        return fetch(file, place)

    try:
        problems = list((threads.map if threads else map)(get, files, places))
        lost = {
            number: Finding(name=problem.path, kind="nothing", problem=problem)
            for number, problem in enumerate(problems)
            if problem is not None
        }
        came = [dataclasses.replace(file, path=str(place)) for file, place in zip(files, places, strict=True)]
        yield [file for number, file in enumerate(came) if number not in lost], lost
    finally:
        for place in places:
            place.unlink(missing_ok=True)


def _jobs(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    """Cut into jobs of a few files; a video is a job."""
    job: list[SourceFile] = []
    num_bytes = 0
    for file in files:
        alone = file.kind == "video"
        if job and (alone or len(job) >= JOB_FILES or num_bytes + file.num_bytes > JOB_BYTES):
            yield job
            job, num_bytes = [], 0
        job.append(file)
        num_bytes += file.num_bytes
        if alone:
            yield job
            job, num_bytes = [], 0
    if job:
        yield job


def _in_processes(
    jobs: Iterable[list[SourceFile]], examination: Examination, num_workers: int
) -> Iterator[tuple[Finding, Path]]:
    workers: list[_Worker] = []
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    stopped = threading.Event()

    def run(number: int, job: list[SourceFile]) -> list[tuple[Finding, Path]]:
        spool = examination.spool / f"{number}"
        # Remote images are fetched while all workers are busy; of videos only one per worker is on this disk.
        worker = idle.get() if job[0].kind == "video" else None
        try:
            with _here(job, examination, spool, fetchers) as (local, lost):
                worker = worker or idle.get()
                found = iter(worker.run(local, examination, spool))
                return [(lost[i], spool) if i in lost else next(found) for i in range(len(job))]
        finally:
            if worker is not None:
                idle.put(worker)

    with (
        ExitStack() as stack,
        ThreadPoolExecutor(NUM_FETCHERS) as fetchers,
        ThreadPoolExecutor(num_workers * (1 if examination.fetch is None else 2)) as threads,
    ):
        try:
            for _ in range(num_workers):
                workers.append(_Worker(stopped))
                stack.callback(workers[-1].close)
                idle.put(workers[-1])
            window: deque[Future[list[tuple[Finding, Path]]]] = deque()
            for number, job in enumerate(jobs):
                window.append(threads.submit(run, number, job))
                if len(window) >= num_workers * JOBS_PER_WORKER:
                    yield from window.popleft().result()
            while window:
                yield from window.popleft().result()
        finally:
            stopped.set()
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()  # a thread that waits for it sees the end of its output


class _Worker:
    """A process that reads files, and the next one when it dies.

    Args:
        stopped: Set when no process is to be started any more.
    """

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._starting = threading.Lock()
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

    def run(self, job: list[SourceFile], examination: Examination, spool: Path) -> list[tuple[Finding, Path]]:
        """Have a job done; called by one thread at a time."""
        names = [Path(f"{spool}-{number}") for number in range(len(job))]
        found: list[tuple[Finding, Path]] = []
        alone = False  # whether the next file has ended a process before, and has one to itself now
        while len(found) < len(job):
            end = len(found) + 1 if alone else len(job)
            found += self._try(job[len(found) : end], examination, names[len(found) : end])
            if len(found) == end:
                alone = False
                continue
            file, how = job[len(found)], self._epitaph()
            log.warning("the process that was reading %s %s", file.name, how)
            if alone:
                detail = f"the process that decodes it {how}, twice: a decoder crashes, or memory runs out"
                problem = Problem(file.name, "crashed", detail)
                bad = Finding(name=file.name, kind="nothing", problem=problem)
                found.append((bad, names[len(found)]))
            alone = not alone
            self.close()
            self._start()
        return found

    def _try(
        self, files: list[SourceFile], examination: Examination, spools: list[Path]
    ) -> list[tuple[Finding, Path]]:
        """Return the findings up to the file at which the process dies, if it does."""
        if not self._ready:
            if receive(self._findings) is None:
                raise RuntimeError("a worker process of ingest did not start; its error is above")
            self._ready = True
        request = {
            "files": [dataclasses.asdict(file) for file in files],
            "frames": examination.frames,
            "limits": dataclasses.asdict(examination.limits),
            "spools": [str(spool) for spool in spools],
            "store": dataclasses.asdict(examination.store),
        }
        with suppress(BrokenPipeError):  # it has died: reading says so
            send(self._jobs, request)
        found: list[tuple[Finding, Path]] = []
        for file, spool in zip(files, spools, strict=True):
            message = receive(self._findings)
            if message is None:
                return found
            content, data = message
            if "failed" in content:
                raise RuntimeError(f"a worker process of ingest failed at {file.name}:\n{content['failed']}")
            found.append((finding_from_message(content, data), spool))
        return found

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
