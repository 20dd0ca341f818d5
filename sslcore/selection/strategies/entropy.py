"""Strategy ``entropy``: where the model's probabilities are spread most evenly.

Source: Shannon 1948; for active learning Settles, "Active Learning Literature Survey", 2009. Weak with few
labels: in published tables it is often below random there (Pourahmadi et al. 2021,
https://arxiv.org/abs/2110.12033); prefer ``margin``.

Shapes: N vectors, C classes.
"""

from sslcore.selection.head import predictions
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.ranking import Ranked, unsure_reason
from sslcore.selection.scorers.probabilities import entropy

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Ranked:
    """Rank the candidates by -sum p log p over log C, in [0, 1]; the column ``entropy`` holds it.

    Args:
        pool: With probs, or labels of two classes at least, on which a head is fitted.
        seed: Not used.

    Raises:
        UserError: If there are neither.
    """
    del seed
    p_NC = predictions(pool)
    reason = unsure_reason(pool, p_NC, "probabilities spread over the classes")
    return Ranked(pool, entropy(p_NC), column="entropy", reason=reason)


STRATEGY = Strategy(
    about="the most evenly spread probabilities; weak with few labels, prefer margin (Settles 2009)",
    begin=begin,
    needs=frozenset({"predictions"}),
)
