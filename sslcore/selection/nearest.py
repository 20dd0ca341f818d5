"""Which of some centres is nearest to each vector."""

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.selection.distances import Distances
from sslcore.selection.vectors import Vectors

__all__ = ["nearest_of"]


def nearest_of(vectors: Vectors, centres: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each vector's squared distance to the nearest of some and which that is, ties to the first.

    Args:
        vectors: [N, D].
        centres: Positions, at least one [K].

    Returns:
        Squared distances [N], and numbers of centres from 0 to K - 1 [N].
    """
    wide = torch.from_numpy(vectors.exact(np.arange(len(vectors))))
    squared, which = Distances(wide).to_nearest(wide[torch.from_numpy(centres)])
    return squared.numpy(), which.numpy()
