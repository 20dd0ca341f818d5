"""Strategy ``committee``: where the votes of several models are divided most evenly.

Source: Seung, Opper & Sompolinsky, "Query by Committee", COLT 1992; vote entropy by Dagan & Engelson,
"Committee-Based Sampling For Training Probabilistic Classifiers", ICML 1995. Votes are coarse, so that many
are equal: the mutual information decides between them (McCallum & Nigam 1998).

Shapes: M models, N vectors, C classes.
"""

import numpy as np

from sslcore.selection.head import committee, steady
from sslcore.selection.information import entropies, mutual_information
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.ranking import Ranked

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Ranked:
    """Rank the candidates by the entropy of the votes; the column ``vote_entropy`` holds it, in nats.

    Args:
        pool: With probs of several models, or labels of two classes at least, on which heads are fitted.
        seed: Seed of the fitted heads.

    Raises:
        UserError: If there are neither.
    """
    p_MNC = committee(pool, seed=seed)
    num_classes = p_MNC.shape[2]
    votes_NC = (p_MNC.argmax(axis=2)[:, :, None] == np.arange(num_classes)).sum(axis=0)
    divided_N = steady(entropies(votes_NC / len(p_MNC)))

    def reason(position: int) -> str:
        counts = -np.sort(-votes_NC[position])
        return f"a committee of {len(p_MNC)} models votes {' to '.join(str(n) for n in counts if n)}"

    between_N = steady(mutual_information(p_MNC))
    return Ranked(pool, divided_N, column="vote_entropy", reason=reason, second_N=between_N)


STRATEGY = Strategy(
    about="the most divided votes of several models (Seung et al. 1992; Dagan & Engelson 1995)",
    begin=begin,
    needs=frozenset({"models"}),
)
