"""Strategy ``least_confidence``: where the model's first class has the lowest probability.

Source: Lewis & Gale, "A Sequential Algorithm for Training Text Classifiers", SIGIR 1994,
https://arxiv.org/abs/cmp-lg/9407020.

The score, in [0, 1], is 1 - max p scaled to [0, 1].
"""

from sslcore.selection.picks import Strategy
from sslcore.selection.ranking import most_unsure, unsure_bytes
from sslcore.selection.scorers.probabilities import least_confidence

__all__ = ["STRATEGY"]


STRATEGY = Strategy(
    about="the lowest probability of the first class (Lewis & Gale 1994, arxiv.org/abs/cmp-lg/9407020)",
    begin=most_unsure(least_confidence, column="least_confidence", what="low confidence"),
    needs=frozenset({"predictions"}),
    estimate=unsure_bytes,
)
