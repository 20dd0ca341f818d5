"""Strategy ``least_confidence``: where the model's first class has the lowest probability.

Source: Lewis & Gale, "A Sequential Algorithm for Training Text Classifiers", SIGIR 1994,
https://arxiv.org/abs/cmp-lg/9407020.

Shapes: N vectors, C classes.
"""

from sslcore.selection.head import predictions
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.ranking import Ranked, unsure_reason
from sslcore.selection.scorers.probabilities import least_confidence

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Ranked:
    """Rank the candidates by 1 - max p scaled to [0, 1]; the column ``least_confidence`` holds it.

    Args:
        pool: With probs, or labels of two classes at least, on which a head is fitted.
        seed: Not used.

    Raises:
        UserError: If there are neither.
    """
    del seed
    p_NC = predictions(pool)
    reason = unsure_reason(pool, p_NC, "low confidence")
    return Ranked(pool, least_confidence(p_NC), column="least_confidence", reason=reason)


STRATEGY = Strategy(
    about="the lowest probability of the first class (Lewis & Gale 1994, arxiv.org/abs/cmp-lg/9407020)",
    begin=begin,
    needs=frozenset({"predictions"}),
)
