"""Views on the CPU, compiled for the processor at hand: a sample at a time, while it is in the cache.

What PyTorch does in thirty passes over a batch is done here in a few over one sample. numba compiles it at
the first use (some seconds, then kept on disk) and needs no compiler; without numba, views are made by
PyTorch's own operations, which give the same to rounding.
"""

from sslcore.augment.compiled.available import as_array, compiled, compiled_for, over_pieces

__all__ = ["as_array", "compiled", "compiled_for", "over_pieces"]
