"""How the C library hands memory out, where large tensors come and go at every operation."""

import ctypes
import functools
import sys

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""What glibc's mallopt calls M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""
KEPT = 512 * 2**20
LARGEST = 1024 * 2**20


@functools.cache
def keep_freed_memory() -> bool:
    """Let this process keep up to 512 MiB that it has freed, for its next tensors.

    By default glibc gives memory back to the system as soon as a few hundred kilobytes at the end of its heap
    are free, and every page of the next tensor costs an interruption: twice a plane of 224 x 224 takes
    four times as long. Only the first call does anything.

    Returns:
        Whether it could be set; False where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, KEPT))
