"""How good are the features: kNN, a linear probe, and measures of collapse that need no labels."""

from sslcore.evaluation.collapse import alignment, effective_rank, feature_std, uniformity
from sslcore.evaluation.evaluate import EvaluateReport
from sslcore.evaluation.knn import knn_accuracy, knn_predict
from sslcore.evaluation.linear_probe import linear_probe

__all__ = [
    "EvaluateReport",
    "alignment",
    "effective_rank",
    "feature_std",
    "knn_accuracy",
    "knn_predict",
    "linear_probe",
    "uniformity",
]
