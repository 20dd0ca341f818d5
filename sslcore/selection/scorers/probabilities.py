"""What every score of class probabilities shares: the check, and three kinds of uncertainty.

Shapes: ... any leading dimensions (samples, boxes, pixels), C classes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import UserError

__all__ = ["check_probabilities", "entropy", "least_confidence", "margin"]

# How far a row's sum may be from 1: what rounding to float16 does, and no more.
SUM_TOLERANCE = 2e-3


def check_probabilities(probs: ArrayLike, *, what: str, ndim: int) -> NDArray[np.float64]:
    """Return probabilities as float64, each row divided by its sum.

    Args:
        probs: Class probabilities, the classes in the last of ``ndim`` dimensions; arrays or tensors.
        what: What they are, for the message (``probs``).
        ndim: Dimensions they must have.

    Raises:
        UserError: If it is no array of numbers, there is no class, or a row holds NaN or infinity, a value
            outside [0, 1], or does not sum to 1.
    """
    try:
        matrix = np.asarray(probs, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{what} must be numbers, one for each class") from None
    if matrix.ndim != ndim or matrix.shape[-1] == 0:
        dims = ", ".join("..." for _ in range(ndim - 1))
        raise UserError(f"{what} must be [{dims}, C] with at least one class, got {list(matrix.shape)}")
    rows = matrix.reshape(-1, matrix.shape[-1])
    _refuse(
        np.logical_not(np.isfinite(rows).all(axis=1)), what, "hold NaN or infinity; a model that diverged?"
    )
    outside = ((rows < -SUM_TOLERANCE) | (rows > 1 + SUM_TOLERANCE)).any(axis=1)
    _refuse(outside, what, "hold values outside 0 to 1: give probabilities, not logits (apply softmax)")
    sums = rows.sum(axis=1)
    _refuse(np.abs(sums - 1) > SUM_TOLERANCE, what, "do not sum to 1: apply softmax over all classes")
    clean = np.clip(rows, 0, None)
    scaled: NDArray[np.float64] = clean / clean.sum(axis=1, keepdims=True)
    return scaled.reshape(matrix.shape)


def _refuse(rows: ArrayLike, what: str, why: str) -> None:
    bad = np.asarray(rows)
    if bad.any():
        raise UserError(
            f"{int(bad.sum())} of {len(bad)} rows of {what}, first row {int(bad.argmax())}, {why}"
        )


def least_confidence(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - max p, scaled so that certainty is 0 and all classes alike is 1; [...].

    With one class there is nothing to be unsure of: 0.
    """
    classes = probs.shape[-1]
    if classes == 1:
        return np.zeros(probs.shape[:-1])
    return _clipped((1 - probs.max(axis=-1)) * classes / (classes - 1))


def margin(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - (largest p - second largest p), which is 0 for certainty and 1 for a draw; [...].

    With one class: 0.
    """
    if probs.shape[-1] == 1:
        return np.zeros(probs.shape[:-1])
    top = np.partition(probs, -2, axis=-1)[..., -2:]
    return _clipped(1 - (top[..., 1] - top[..., 0]))


def entropy(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -sum p log p over log C, which is 0 for certainty and 1 for all classes alike; [...].

    0 log 0 is 0. With one class: 0.
    """
    classes = probs.shape[-1]
    if classes == 1:
        return np.zeros(probs.shape[:-1])
    logs = np.log(np.where(probs > 0, probs, 1.0))
    return _clipped(-(probs * logs).sum(axis=-1) / np.log(classes))


def _clipped(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Rounding may leave the interval by 1e-16.
    clipped: NDArray[np.float64] = np.clip(values, 0.0, 1.0)
    return clipped
