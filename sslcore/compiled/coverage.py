"""Coverage: how much of many kernels lies between two bounds.

Shapes: R references, C candidates, n of the references.
"""

import numpy as np
from numpy.typing import NDArray

from sslcore.compiled.jit import jit

__all__ = ["between", "weighted_between"]

COLUMNS = 2048
"""Columns whose sums stay in the processor's first cache."""
ROWS = 2**16
"""Rows of which sums of 15 bits stay below 2^31."""


@jit
def between(
    kernel: NDArray[np.int16],
    rows: NDArray[np.int64],
    low: NDArray[np.int16],
    high: NDArray[np.int16],
    offset: int,
    total: NDArray[np.int64],
) -> None:
    """Write for each column the sum over rows of what lies above ``low`` and below ``high``.

    Args:
        kernel: From 0 to 2^15 - 1 [R, C].
        rows: Which rows [n].
        low: Of each [n].
        high: Of each, not below ``low`` [n].
        offset: First of the columns.
        total: Written to, for as many columns as it has.
    """
    for first in range(0, len(total), COLUMNS):
        last = min(first + COLUMNS, len(total))
        total[first:last] = 0
        for start in range(0, len(rows), ROWS):
            sums = np.zeros(last - first, np.int32)
            for i in range(start, min(start + ROWS, len(rows))):
                values = kernel[rows[i], offset + first : offset + last]
                least, most = np.int32(low[i]), np.int32(high[i])
                for c in range(len(sums)):
                    sums[c] += min(max(np.int32(values[c]), least), most) - least
            for c in range(len(sums)):
                total[first + c] += sums[c]


@jit
def weighted_between(
    kernel: NDArray[np.int16],
    rows: NDArray[np.int64],
    low: NDArray[np.int16],
    high: NDArray[np.int16],
    weights: NDArray[np.float64],
    offset: int,
    total: NDArray[np.int64],
) -> None:
    """Write the same, each row times a weight; whole numbers, and each sum below 2^53 [n]."""
    for first in range(0, len(total), COLUMNS):
        last = min(first + COLUMNS, len(total))
        sums = np.zeros(last - first, np.float64)
        for i in range(len(rows)):
            values = kernel[rows[i], offset + first : offset + last]
            least, most, weight = np.int32(low[i]), np.int32(high[i]), weights[i]
            for c in range(len(sums)):
                sums[c] += weight * np.float64(min(max(np.int32(values[c]), least), most) - least)
        for c in range(len(sums)):
            total[first + c] = np.int64(sums[c])
