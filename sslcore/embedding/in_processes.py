"""Parts written by several processes at once, one per GPU where there are several."""

import multiprocessing
import os
import queue
import threading
from collections.abc import Generator, Sequence
from typing import Any

import torch

from sslcore.embedding.parts import PartWriter, Task
from sslcore.errors import SslflowError
from sslcore.monitor import SILENT

__all__ = ["write_in_processes"]

LOOK_SECONDS = 1.0


def write_in_processes(
    task: Task, parts: Sequence[int], *, num_processes: int
) -> Generator[tuple[int, int], None, None]:
    """Write parts and yield each one's number and how many of its vectors were computed, as they are done.

    The processes are spawned, take the parts in turn, and end when the generator is closed or this process is
    gone, even if it is killed.

    Args:
        task: What is embedded.
        parts: Which.
        num_processes: How many, at most one per part.

    Raises:
        Exception: What the first process that fails raises.
        SslflowError: If a process dies without a word.
    """
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    ranks = range(min(num_processes, len(parts)))
    threads = max(1, torch.get_num_threads() // len(ranks))
    # Not as daemons: those may have no children, and decode in no processes of their own.
    workers = [
        context.Process(target=_write, args=(task, parts[rank :: len(ranks)], rank, threads, results))
        for rank in ranks
    ]
    try:
        for worker in workers:
            worker.start()
        for _ in parts:
            found = _next(results, workers)
            if isinstance(found, BaseException):
                raise found
            yield found
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            if worker.pid is not None:
                worker.kill()
                worker.join()


def _next(results: Any, workers: Sequence[Any]) -> Any:
    while True:
        try:
            return results.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            dead = [worker.exitcode for worker in workers if worker.exitcode]
            if dead:
                raise SslflowError(
                    f"a process that embeds ended with code {dead[0]}: was it killed, or out of memory? "
                    "Lower embed.batch_size or embed.num_processes; what is done is kept"
                ) from None


def _write(task: Task, parts: Sequence[int], rank: int, threads: int, results: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["LOCAL_RANK"] = str(rank)  # the process's own GPU
    torch.set_num_threads(threads)
    try:
        writer = PartWriter(task)
        for part in parts:
            results.put((part, writer.write(part, SILENT)))
    except Exception as error:  # told to the process that waits, which raises it
        results.put(error)


def _end_with_parent() -> None:
    """End this process at once when its parent is gone: a part half written stays a hidden file."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
