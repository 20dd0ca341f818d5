"""Examine many files in worker processes, with the findings in the order of the files.

A decoder that crashes takes its process with it, and so does the system when memory runs out. The file that
was being read is then tried once more, alone in a new process; if that dies too, the file is in quarantine as
``crashed`` and the others go on. One that only hangs is ended (`sslcore.data.worker_process`).
"""

import dataclasses
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.examine import Finding, examine_file
from sslcore.data.media import Limits
from sslcore.data.quarantine import Problem
from sslcore.data.source_file import SourceFile
from sslcore.data.worker_process import WorkerProcess, watch

__all__ = ["Examination", "examine_files"]

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
        patience_seconds: How long a process may read a file without a sign of progress: an image as a whole,
            of a video one more part of the file.
    """

    frames: str
    limits: Limits
    spool: Path
    store: StoreFormat = ORIGINAL
    fetch: Callable[[SourceFile, Path], Problem | None] | None = None
    patience_seconds: float = 120.0


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
    workers: list[WorkerProcess] = []
    idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
    stopped = threading.Event()
    request = {
        "frames": examination.frames,
        "limits": dataclasses.asdict(examination.limits),
        "store": dataclasses.asdict(examination.store),
    }

    def run(number: int, job: list[SourceFile]) -> list[tuple[Finding, Path]]:
        spool = examination.spool / f"{number}"
        # Remote images are fetched while all workers are busy; of videos only one per worker is on this disk.
        worker = idle.get() if job[0].kind == "video" else None
        try:
            with _here(job, examination, spool, fetchers) as (local, lost):
                worker = worker or idle.get()
                found = iter(worker.run(local, request, examination.patience_seconds, spool))
                return [(lost[i], spool) if i in lost else next(found) for i in range(len(job))]
        finally:
            if worker is not None:
                idle.put(worker)

    with (
        ExitStack() as stack,
        ThreadPoolExecutor(NUM_FETCHERS) as fetchers,
        ThreadPoolExecutor(num_workers * (1 if examination.fetch is None else 2)) as threads,
    ):
        threading.Thread(target=watch, args=(workers, stopped), daemon=True).start()
        try:
            for _ in range(num_workers):
                workers.append(WorkerProcess(stopped))
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
