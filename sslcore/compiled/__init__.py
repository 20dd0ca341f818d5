"""Inner loops for the CPU, compiled for the processor at hand by numba; without it PyTorch does them.

What PyTorch does in many passes over memory is done here in one, while it is in the cache. It is compiled at
the first use (some seconds, then kept on disk) and needs no compiler on the machine. Whoever uses it has a
second way of PyTorch's own operations that gives the same, to rounding where it is floating point.
"""

from sslcore.compiled.available import as_array, compiled, over_pieces

__all__ = ["as_array", "compiled", "over_pieces"]
