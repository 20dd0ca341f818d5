"""The largest of many numbers that only fall, again and again, without looking at all of them each time."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Largest"]

# Numbers among which the largest are sought, at least.
RESERVE = 65_536


class Largest:
    """Finds the largest of an array that others change in place, but never upwards."""

    def __init__(self, bound: NDArray[np.float32]) -> None:
        """Keep the array; -inf stands for what is out."""
        self.bound = bound
        self.reserve, self.outside = np.empty(0, np.int64), math.inf
        """Some of the largest, and what no other exceeds."""

    def find(self, size: int, num_left: int) -> tuple[NDArray[np.int64], float]:
        """Return the places of the ``size`` largest, ascending, and the largest of all others.

        Args:
            size: How many; all that are left if there are no more.
            num_left: How many are not -inf.
        """
        if size >= num_left:
            return np.flatnonzero(self.bound > -np.inf), -math.inf
        if len(self.bound) <= 2 * RESERVE:
            return _largest(self.bound, size)
        for _ in range(2):
            if size < len(self.reserve):
                places, highest = _largest(self.bound[self.reserve], size)
                if highest >= self.outside:
                    return np.sort(self.reserve[places]), highest
            # All are looked through once for many blocks: those outside of the reserve only fall.
            count = min(max(RESERVE, 4 * size, len(self.bound) // 64), len(self.bound))
            found = torch.topk(torch.from_numpy(self.bound), count)
            self.reserve, self.outside = found.indices.numpy(), float(found.values[-1])
        raise AssertionError("a fresh reserve holds the largest")


def _largest(values: NDArray[np.float32], size: int) -> tuple[NDArray[np.int64], float]:
    found = torch.topk(torch.from_numpy(values), size + 1)
    return np.sort(found.indices[:-1].numpy()), float(found.values[-1])
