"""Scores of predictions, by task: how much a model would learn from a label. Names as in lightly."""

from collections.abc import Mapping
from types import MappingProxyType

from sslcore.selection.scorers.classification import classification_scores
from sslcore.selection.scorers.keypoints import keypoint_scores
from sslcore.selection.scorers.object_detection import Detections, object_detection_scores
from sslcore.selection.scorers.semantic_segmentation import semantic_segmentation_scores

__all__ = [
    "SCORERS",
    "Detections",
    "classification_scores",
    "keypoint_scores",
    "object_detection_scores",
    "semantic_segmentation_scores",
]

_UNCERTAINTY = "uncertainty_least_confidence, uncertainty_margin, uncertainty_entropy"

SCORERS: Mapping[str, str] = MappingProxyType(
    {
        "classification": f"{_UNCERTAINTY}: of the class probabilities of an image"
        " (Settles 2009; names as in lightly)",
        "keypoints": "mean_uncertainty: 1 - mean confidence of the keypoints, over instances (as in lightly)",
        "object_detection": "object_frequency, objectness_least_confidence, and of the least sure box "
        f"{_UNCERTAINTY} (as in lightly)",
        "semantic_segmentation": f"{_UNCERTAINTY}: the mean over the pixels (as in lightly)",
    }
)
