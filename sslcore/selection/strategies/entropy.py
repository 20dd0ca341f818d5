"""Strategy ``entropy``: where the model's probabilities are spread most evenly.

Source: Shannon 1948; for active learning Settles, "Active Learning Literature Survey", 2009. Weak with few
labels: in published tables it is often below random there (Pourahmadi et al. 2021,
https://arxiv.org/abs/2110.12033); prefer ``margin``.

The score, in [0, 1], is -sum p log p over log C.
"""

from sslcore.selection.picks import Strategy
from sslcore.selection.ranking import most_unsure, unsure_bytes
from sslcore.selection.scorers.probabilities import entropy

__all__ = ["STRATEGY"]


STRATEGY = Strategy(
    about="the most evenly spread probabilities; weak with few labels, prefer margin (Settles 2009)",
    begin=most_unsure(entropy, column="entropy", what="probabilities spread over the classes"),
    needs=frozenset({"predictions"}),
    estimate=unsure_bytes,
)
