"""Strategy ``margin``: where the model's first two classes are closest.

Source: Scheffer, Decomain & Wrobel, "Active Hidden Markov Models for Information Extraction", IDA 2001;
Settles, "Active Learning Literature Survey", 2009. In published tables on frozen features it is the best of
the three simple uncertainties (LabelBench, Zhang et al. 2023, https://arxiv.org/abs/2306.09910); it knows
no diversity, so a batch may hold near copies.

Shapes: N vectors, C classes.
"""

from sslcore.selection.head import predictions
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.ranking import Ranked, unsure_reason
from sslcore.selection.scorers.probabilities import margin

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Ranked:
    """Rank the candidates by 1 - (p1 - p2), in [0, 1]; the column ``margin`` holds it.

    Args:
        pool: With probs, or labels of two classes at least, on which a head is fitted.
        seed: Not used.

    Raises:
        UserError: If there are neither.
    """
    del seed
    p_NC = predictions(pool)
    reason = unsure_reason(pool, p_NC, "a close call")
    return Ranked(pool, margin(p_NC), column="margin", reason=reason)


STRATEGY = Strategy(
    about="the smallest distance between the first two classes; the best simple uncertainty"
    " (Scheffer et al. 2001)",
    begin=begin,
    needs=frozenset({"predictions"}),
)
