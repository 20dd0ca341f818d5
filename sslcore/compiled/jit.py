"""The compiler and its settings."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["jit"]

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile without Python's lock. Sums may be reordered, and nothing is NaN or infinite."""
    options: Any = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"nnan", "ninf", "nsz", "arcp", "contract", "reassoc"},
    }
    made: Any
    try:
        made = njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder that it may keep its work in
        made = njit(**options)(function)
    return cast(Function, made)
