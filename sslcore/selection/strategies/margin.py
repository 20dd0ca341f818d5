"""Strategy ``margin``: where the model's first two classes are closest.

Source: Scheffer, Decomain & Wrobel, "Active Hidden Markov Models for Information Extraction", IDA 2001;
Settles, "Active Learning Literature Survey", 2009. In published tables on frozen features it is the best of
the three simple uncertainties (LabelBench, Zhang et al. 2023, https://arxiv.org/abs/2306.09910); it knows
no diversity, so a batch may hold near copies.

The score, in [0, 1], is 1 - (p1 - p2).
"""

from sslcore.selection.picks import Strategy
from sslcore.selection.ranking import most_unsure, unsure_bytes
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY"]


STRATEGY = Strategy(
    about="the smallest distance between the first two classes; the best simple uncertainty"
    " (Scheffer et al. 2001)",
    begin=most_unsure(margin, column="margin", what="a close call"),
    needs=frozenset({"predictions"}),
    estimate=unsure_bytes,
)
