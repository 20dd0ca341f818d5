"""Scores of a classifier's predictions; the names and formulas of lightly's ``ScorerClassification``.

Settles, "Active Learning Literature Survey", 2009, https://burrsettles.com/pub/settles.activelearning.pdf.
All three lie in [0, 1]: 0 for a one-hot prediction, 1 for all classes alike (for the margin: a draw of the
first two). With one class all are 0.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sslcore.selection.scorers.probabilities import check_probabilities, entropy, least_confidence, margin

__all__ = ["UNCERTAINTIES", "classification_scores"]

UNCERTAINTIES = {
    "uncertainty_least_confidence": least_confidence,
    "uncertainty_margin": margin,
    "uncertainty_entropy": entropy,
}


def classification_scores(probs: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Score predictions by how unsure they are.

    Args:
        probs: Class probabilities [N, C], each row summing to 1 (within 0.002); N may be 0.

    Returns:
        ``uncertainty_least_confidence``, ``uncertainty_margin``, ``uncertainty_entropy``: float64 [N].

    Raises:
        UserError: If a row holds NaN or does not sum to 1.
    """
    p_NC = check_probabilities(probs, what="probs", ndim=2)
    return {name: score(p_NC) for name, score in UNCERTAINTIES.items()}
