"""Whether there is a compiler, what can be given to it, and threads to run what it made."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["as_array", "compiled", "compiled_for", "over_pieces"]

log = logging.getLogger(__name__)


def compiled() -> Any:
    """Return the compiled functions of `kernels`, or None where numba is not installed.

    ``SSLFLOW_COMPILED=0`` does without them.
    """
    return _kernels()


@cache
def _kernels() -> Any:
    if os.environ.get("SSLFLOW_COMPILED", "1") == "0":
        return None
    try:
        return import_module("sslcore.augment.compiled.kernels")
    except ImportError as error:
        log.info("views on the CPU are made by PyTorch's operations: %s", error)
        return None


def compiled_for(images: Tensor) -> Any:
    """Return the compiled functions if these images can be given to them, else None."""
    fits = images.device.type == "cpu" and images.dtype == torch.float32 and not images.requires_grad
    return compiled() if fits else None


def as_array(images: Tensor) -> NDArray[Any]:
    """Return a tensor of the CPU as a contiguous array, of the same memory if it is contiguous."""
    array: NDArray[Any] = images.detach().contiguous().numpy()
    return array


def over_pieces(make: Callable[[slice], object], *, total: int, size: int) -> None:
    """Call ``make`` for each slice of so many, in as many threads as PyTorch uses, if it is compiled.

    Compiled functions do not hold Python's lock, so that threads run side by side; others would only wait.
    """
    pieces = list(_slices(total, size))
    threads = torch.get_num_threads() if compiled() is not None else 1
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            make(piece)
    else:
        for _ in _pool(threads, os.getpid()).map(make, pieces):
            pass


def _slices(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


@cache
def _pool(threads: int, _: int) -> ThreadPoolExecutor:
    """Return threads of this process: those of a parent are not there after a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="views")
