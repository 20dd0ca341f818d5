"""Scores of a segmentation model's predictions; as lightly's ``ScorerSemanticSegmentation``.

Shapes: W x H pixels of one image, C classes.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.errors import UserError
from sslcore.selection.scorers.classification import UNCERTAINTIES
from sslcore.selection.scorers.probabilities import check_probabilities

__all__ = ["semantic_segmentation_scores"]


def semantic_segmentation_scores(predictions: Iterable[ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Score images by the mean uncertainty of their pixels.

    Args:
        predictions: Class probabilities of the pixels of each image, [W, H, C] (or [H, W, C]: the mean
            is the same); images may differ in size. A generator is read one image at a time, so that
            memory stays that of one.

    Returns:
        ``uncertainty_least_confidence``, ``uncertainty_margin``, ``uncertainty_entropy``, float64 [N].

    Raises:
        UserError: If an image has no pixel, or a pixel's probabilities hold NaN or do not sum to 1;
            names the image by its number.
    """
    found: dict[str, list[float]] = {name: [] for name in UNCERTAINTIES}
    for number, each in enumerate(predictions):
        p_WHC = check_probabilities(each, what=f"the prediction of image {number}", ndim=3)
        if p_WHC.size == 0:
            raise UserError(f"the prediction of image {number} has no pixels: {list(p_WHC.shape)}")
        for name, score in UNCERTAINTIES.items():
            found[name].append(float(score(p_WHC).mean()))
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}
