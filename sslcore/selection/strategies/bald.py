"""Strategy ``bald``: where several models are sure, of different classes.

Source: Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning", 2011,
https://arxiv.org/abs/1112.5745; with dropout passes as models, Gal, Islam & Ghahramani, ICML 2017,
https://arxiv.org/abs/1703.02910. Differs from uncertainty: where all models are unsure alike (noise), it is
0.

Shapes: M models, N vectors, C classes.
"""

from sslcore.selection.head import committee, steady
from sslcore.selection.information import mutual_information
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.ranking import Ranked

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Ranked:
    """Rank the candidates by mutual information; the column ``bald`` holds it, in nats.

    Args:
        pool: With probs of several models, or labels of two classes at least, on which heads are fitted.
        seed: Seed of the fitted heads.

    Raises:
        UserError: If there are neither.
    """
    p_MNC = committee(pool, seed=seed)
    information_N = steady(mutual_information(p_MNC))

    def reason(position: int) -> str:
        return f"{len(p_MNC)} models disagree: a label tells {information_N[position]:.3f} nats about them"

    return Ranked(pool, information_N, column="bald", reason=reason)


STRATEGY = Strategy(
    about="what several models are sure of and disagree about (Houlsby et al. 2011, arxiv.org/abs/1112.5745)",
    begin=begin,
    needs=frozenset({"models"}),
)
