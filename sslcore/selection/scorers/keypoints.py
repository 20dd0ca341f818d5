"""Scores of a keypoint model's predictions; as lightly's ``ScorerKeypointDetection``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import UserError

__all__ = ["keypoint_scores"]


def keypoint_scores(images: Sequence[Sequence[ArrayLike]]) -> dict[str, NDArray[np.float64]]:
    """Score images by how unsure their keypoints are.

    Args:
        images: For each image its instances (people, say), and for each instance its keypoints, [K, 3]
            as x, y, confidence in [0, 1], or flat [3 K] as COCO has them.

    Returns:
        ``mean_uncertainty``: 1 - the mean over instances of their mean confidence, float64 [N] in
        [0, 1]. An instance without keypoints does not count; an image without any has 0.

    Raises:
        UserError: If keypoints are not threes, or a confidence is NaN or outside [0, 1].
    """
    scores = np.zeros(len(images))
    for number, instances in enumerate(images):
        found = [_confidences(each, number) for each in instances]
        means = [each.mean() for each in found if each.size]
        if means:
            scores[number] = 1 - float(np.mean(means))
    return {"mean_uncertainty": scores}


def _confidences(keypoints: ArrayLike, number: int) -> NDArray[np.float64]:
    values = np.asarray(keypoints, dtype=np.float64)
    if values.size % 3 or (values.ndim == 2 and values.size and values.shape[1] != 3) or values.ndim > 2:
        raise UserError(
            f"keypoints of image {number} must be x, y, confidence each, got {list(values.shape)} values"
        )
    confidences = values.reshape(-1, 3)[:, 2]
    # A comparison with NaN is false, so that NaN is refused too.
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise UserError(
            f"keypoint confidences of image {number} must be in [0, 1], got {confidences.tolist()}"
        )
    return confidences
