"""Scores of a detector's predictions; the names and formulas of lightly's ``ScorerObjectDetection``.

Shapes: N images, B boxes of one image, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import ConfigError, UserError
from sslcore.selection.scorers.classification import UNCERTAINTIES
from sslcore.selection.scorers.probabilities import check_probabilities

__all__ = ["Detections", "object_detection_scores"]


@dataclass(frozen=True)
class Detections:
    """What a detector found in one image. Where the boxes lie does not enter any score."""

    confidence: NDArray[np.float64]
    """Objectness times the largest class probability, or the detector's one score, [B]."""
    labels: NDArray[np.int64]
    """Class of each box [B]."""
    class_probs: NDArray[np.float64]
    """Class probabilities [B, C]."""

    @classmethod
    def from_probabilities(cls, objectness: ArrayLike, class_probs: ArrayLike) -> "Detections":
        """Make them of an objectness in [0, 1] per box [B] and class probabilities [B, C].

        Raises:
            UserError: If the sizes differ, a value is outside [0, 1] or NaN, or a row does not sum to 1.
        """
        p_B = _unit_interval(objectness, "objectness")
        if p_B.size == 0:
            return cls(p_B, np.empty(0, np.int64), np.empty((0, 1)))
        p_BC = check_probabilities(class_probs, what="class_probs", ndim=2)
        if len(p_BC) != len(p_B):
            raise UserError(f"class_probs must have a row for each of {len(p_B)} boxes, got {len(p_BC)}")
        return cls(p_B * p_BC.max(axis=1), p_BC.argmax(axis=1).astype(np.int64), p_BC)

    @classmethod
    def from_scores(cls, scores: ArrayLike, labels: ArrayLike, *, num_classes: int) -> "Detections":
        """Make them of one score and one label per box, where class probabilities are not known.

        As in lightly, the label is given the score and the other classes share the rest evenly; here
        over the ``num_classes`` of the task, where lightly counts the classes seen in the image. With
        one class its probability is 1.

        Args:
            scores: Confidences in [0, 1], [B].
            labels: Classes in [0, num_classes), [B].
            num_classes: C.

        Raises:
            UserError: If the sizes differ, or a score or label is out of its range.
        """
        s_B = _unit_interval(scores, "scores")
        given_B = np.asarray(labels).reshape(-1)
        if len(given_B) != len(s_B):
            raise UserError(f"labels must be one for each of {len(s_B)} boxes, got {len(given_B)}")
        label_B = given_B.astype(np.int64)
        if (label_B != given_B).any() or (label_B < 0).any() or (label_B >= num_classes).any():
            raise UserError(
                f"labels must be whole numbers from 0 to {num_classes - 1}, got {given_B.tolist()}"
            )
        if num_classes == 1:
            return cls(s_B, label_B, np.ones((len(s_B), 1)))
        p_BC = np.repeat((1 - s_B)[:, None] / (num_classes - 1), num_classes, axis=1)
        p_BC[np.arange(len(s_B)), label_B] = s_B
        return cls(s_B, label_B, p_BC)


def object_detection_scores(
    images: Sequence[Detections], *, frequency_penalty: float = 0.25, min_score: float = 0.9
) -> dict[str, NDArray[np.float64]]:
    """Score images by what a detector found in them.

    - ``object_frequency``: per image the sum over its classes of 1 + frequency_penalty (n_c - 1), so
      that many different objects count most; then stretched over the images given, the lowest to
      ``min_score`` and the highest to 1. When all are equal there is nothing to prefer: all are 1.
    - ``objectness_least_confidence``: 1 - mean confidence over the boxes; 0 without a box.
    - ``uncertainty_least_confidence``, ``uncertainty_margin``, ``uncertainty_entropy``: of the box
      where it is largest; 0 without a box.

    Args:
        images: What was found in each [N]; N may be 0.
        frequency_penalty: What a further object of a class counts, in [0, 1].
        min_score: Lowest ``object_frequency``, in [0, 1].

    Returns:
        Five scores by name, float64 [N], all in [0, 1].

    Raises:
        ConfigError: If ``frequency_penalty`` or ``min_score`` is outside [0, 1].
    """
    for name, value in (("frequency_penalty", frequency_penalty), ("min_score", min_score)):
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} must be in [0, 1], got {value:g}")
    scores = {"object_frequency": _object_frequency(images, frequency_penalty, min_score)}
    scores["objectness_least_confidence"] = np.array(
        [1 - each.confidence.mean() if each.confidence.size else 0.0 for each in images], dtype=np.float64
    )
    for name, score in UNCERTAINTIES.items():
        largest = [score(each.class_probs).max(initial=0.0) for each in images]
        scores[name] = np.array(largest, dtype=np.float64)
    return scores


def _object_frequency(images: Sequence[Detections], penalty: float, min_score: float) -> NDArray[np.float64]:
    counted = np.zeros(len(images))
    for row, each in enumerate(images):
        _, counts = np.unique(each.labels, return_counts=True)
        counted[row] = (1 + penalty * (counts - 1)).sum()
    if len(images) == 0 or counted.max() == counted.min():
        return np.ones(len(images))
    share = (counted - counted.min()) / (counted.max() - counted.min())
    stretched: NDArray[np.float64] = min_score + (1 - min_score) * share
    return stretched


def _unit_interval(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    # A comparison with NaN is false, so that NaN is refused too.
    if not ((array >= 0) & (array <= 1)).all():
        raise UserError(f"{what} must be in [0, 1], got {array.tolist()}")
    return array
