"""Confidence intervals of accuracies, by the percentile bootstrap over samples.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. A resample of 0/1 outcomes
is known by how many ones it has, so it is drawn as one binomial (or multinomial) number and not sample by
sample.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Interval", "accuracy_interval", "difference_interval"]

NUM_RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds between which it lies with the stated confidence.

    Attributes:
        estimate: On the samples as they are.
        low: Lower bound.
        high: Upper bound.
    """

    estimate: float
    low: float
    high: float


def accuracy_interval(correct: Tensor, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Return the interval of an accuracy.

    Args:
        correct: Whether each of at least one sample was classified right, bool [M].
        confidence: In (0, 1).
        seed: Of the resamples.

    Raises:
        ValueError: If there is no sample or ``confidence`` is out of range.
    """
    total = _check(correct, confidence)
    share = float(correct.double().mean())
    drawn = np.random.default_rng(seed).binomial(total, share, size=NUM_RESAMPLES) / total
    return _interval(share, drawn, confidence)


def difference_interval(one: Tensor, other: Tensor, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Return the interval of ``one``'s accuracy less ``other``'s on the same samples (paired).

    An interval above 0 says that ``one`` is better by more than the choice of samples explains.

    Args:
        one: Whether each sample was classified right, bool [M].
        other: The same of what it is compared with, bool [M].
        confidence: In (0, 1).
        seed: Of the resamples.

    Raises:
        ValueError: If there is no sample, the shapes differ or ``confidence`` is out of range.
    """
    if one.shape != other.shape:
        raise ValueError(f"need outcomes of the same samples, got {list(one.shape)} and {list(other.shape)}")
    total = _check(one, confidence)
    better, worse = int((one & ~other).sum()), int((other & ~one).sum())
    shares = np.array([better, worse, total - better - worse]) / total
    drawn = np.random.default_rng(seed).multinomial(total, shares, size=NUM_RESAMPLES)
    return _interval((better - worse) / total, (drawn[:, 0] - drawn[:, 1]) / total, confidence)


def _check(correct: Tensor, confidence: float) -> int:
    if correct.ndim != 1 or len(correct) == 0:
        raise ValueError(f"need the outcomes of at least one sample, bool [M], got {list(correct.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence:g}")
    return len(correct)


def _interval(estimate: float, drawn: NDArray[np.float64], confidence: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high))
