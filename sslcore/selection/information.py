"""What several models disagree about.

Shapes: M models, N vectors, C classes.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["entropies", "mutual_information"]


def entropies(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -sum p log p over the last dimension, in nats; 0 log 0 is 0."""
    logs = np.log(np.where(probs > 0, probs, 1.0))
    summed: NDArray[np.float64] = -(probs * logs).sum(axis=-1)
    return summed


def mutual_information(p_MNC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of the mean less the mean of the entropies, in nats, [N].

    What a label would say about which model is right: 0 where all agree, log M at most.
    """
    between: NDArray[np.float64] = entropies(p_MNC.mean(axis=0)) - entropies(p_MNC).mean(axis=0)
    return np.clip(between, 0, None)
