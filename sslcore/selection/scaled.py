"""Vectors as the small classifier reads them, and figures of probabilities: in blocks, no copy is whole.

Shapes: N vectors, D dimensions, C classes, M models.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.pool import Pool

__all__ = ["Scaled", "block_bytes", "given_blocks", "measured", "slices"]

# Blocks hold about this many numbers: 8 MB of float64, of which some are in use at a time.
NUMBERS_AT_ONCE = 1_000_000
# What all blocks in use take at most, with those of the door and what the allocator keeps of them.
MOST_BYTES, LEAST_BYTES = 256_000_000, 16_000_000


def block_bytes(pool: Pool) -> int:
    """Return what all blocks in use take, in bytes; less for a small pool."""
    return min(MOST_BYTES, LEAST_BYTES + 100 * len(pool) * pool.vectors.dim)


def slices(total: int, width: int) -> Iterator[slice]:
    """Yield slices of 0..total, with ``width`` numbers for each place that are held at a time."""
    step = max(1, NUMBERS_AT_ONCE // max(1, width))
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


class Scaled:
    """The vectors of a pool, shifted to mean 0 and scaled to a mean squared length of 1.

    The head's answer then does not depend on the scale or the middle of the embeddings. Vectors that are
    all alike become 0.
    """

    def __init__(self, pool: Pool) -> None:
        """Find the middle and the size, in two passes over the vectors."""
        self.vectors, self.size = pool.vectors, 1.0
        self.middle_D: NDArray[np.float64] = np.zeros(pool.vectors.dim)
        total_D, squared_N = np.zeros(pool.vectors.dim), np.empty(len(pool))
        for _, x_nD in self.blocks():
            total_D += x_nD.sum(axis=0)
        self.middle_D = total_D / max(len(pool), 1)
        for part, x_nD in self.blocks():
            squared_N[part] = np.einsum("nd,nd->n", x_nD, x_nD)
        self.size = math.sqrt(float(squared_N.mean())) or 1.0

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the vectors of some positions, [n, D]; nothing beside them is whole."""
        found = np.empty((len(positions), self.vectors.dim))
        for part, x_nD in self.blocks(positions):
            found[part] = x_nD
        return found

    def blocks(
        self, positions: NDArray[np.int64] | None = None, *, num_classes: int = 1
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield (which places, their vectors [n, D]) of some positions, or of all.

        Args:
            positions: Which vectors; None takes all N.
            num_classes: With more classes than dimensions there are fewer vectors in a block.
        """
        total = len(self.vectors) if positions is None else len(positions)
        for part in slices(total, max(self.vectors.dim, 4 * num_classes)):
            some = np.arange(part.start, part.stop) if positions is None else positions[part]
            x_nD = self.vectors.exact(some)
            x_nD -= self.middle_D
            x_nD /= self.size
            yield part, x_nD


def given_blocks(pool: Pool) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield (which positions, their given class probabilities, averaged over the models, float64 [n, C])."""
    assert pool.probs is not None, "declare needs={'probs'}"
    probs = np.asarray(pool.probs)
    for part in slices(len(pool), probs.size // max(len(pool), 1)):
        wide = np.asarray(probs[..., part, :], dtype=np.float64)
        yield part, wide.mean(axis=0) if wide.ndim == 3 else wide


def measured(
    measure: Callable[[NDArray[np.float64]], NDArray[np.float64]], probs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a measure of each sample's probabilities, [N, C] or [M, N, C], worked out in blocks [N]."""
    found = np.empty(probs.shape[-2])
    for part in slices(len(found), 4 * probs.size // max(len(found), 1)):
        found[part] = measure(probs[..., part, :])
    return found
