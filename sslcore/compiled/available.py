"""Whether there is a compiler, what can be given to it, and threads to run what it made."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["as_array", "compiled", "over_pieces"]

log = logging.getLogger(__name__)


def compiled(name: Literal["views", "coverage"]) -> Any:
    """Return a module of compiled functions, or None where numba is not installed.

    ``SSLFLOW_COMPILED=0`` does without them.
    """
    return _module(name)


@cache
def _module(name: str) -> Any:
    if os.environ.get("SSLFLOW_COMPILED", "1") == "0":
        return None
    try:
        return import_module(f"sslcore.compiled.{name}")
    except ImportError as error:
        log.info("%s on the CPU: by PyTorch's operations (%s)", name, error)
        return None


def as_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor of the CPU as a contiguous array, of the same memory if it is contiguous."""
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


def over_pieces(do: Callable[[slice], object], *, total: int, size: int, threads: int | None = None) -> None:
    """Call ``do`` for each slice of ``size`` of ``total``, in several threads.

    Compiled functions do not hold Python's lock, so that threads run side by side; others would only wait.

    Args:
        do: Called from several threads at once.
        total: Of what.
        size: Of a slice; the last may be smaller.
        threads: How many; None is as many as PyTorch uses.
    """
    pieces = list(_slices(total, size))
    threads = torch.get_num_threads() if threads is None else threads
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            do(piece)
    else:
        for _ in _pool(threads, os.getpid()).map(do, pieces):
            pass


def _slices(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


@cache
def _pool(threads: int, _: int) -> ThreadPoolExecutor:
    """Return threads of this process: those of a parent are not there after a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="compiled")
