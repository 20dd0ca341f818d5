"""Strategy ``committee``: where the votes of several models are divided most evenly.

Source: Seung, Opper & Sompolinsky, "Query by Committee", COLT 1992; vote entropy by Dagan & Engelson,
"Committee-Based Sampling For Training Probabilistic Classifiers", ICML 1995. Votes are coarse, so that many
are equal: the mutual information decides between them (McCallum & Nigam 1998).

The score, in nats, is the entropy of the votes. Shapes: M models, N vectors, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.information import entropies
from sslcore.selection.picks import Strategy
from sslcore.selection.ranking import divided_bytes, most_divided

__all__ = ["STRATEGY"]


def _votes(p_MNC: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many models hold each class for the likeliest, [N, C]."""
    counts: NDArray[np.int64] = (p_MNC.argmax(axis=-1)[..., None] == np.arange(p_MNC.shape[-1])).sum(axis=0)
    return counts


def _words(p_MC: NDArray[np.float64], nats: float) -> str:
    del nats
    counts = -np.sort(-_votes(p_MC))
    return f"a committee of {len(p_MC)} models votes {' to '.join(str(n) for n in counts if n)}"


STRATEGY = Strategy(
    about="the most divided votes of several models (Seung et al. 1992; Dagan & Engelson 1995)",
    begin=most_divided(
        lambda p_MNC: entropies(_votes(p_MNC) / len(p_MNC)), column="vote_entropy", words=_words
    ),
    needs=frozenset({"models"}),
    estimate=divided_bytes,
)
