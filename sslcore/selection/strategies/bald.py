"""Strategy ``bald``: where several models are sure, of different classes.

Source: Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning", 2011,
https://arxiv.org/abs/1112.5745; with dropout passes as models, Gal, Islam & Ghahramani, ICML 2017,
https://arxiv.org/abs/1703.02910. Differs from uncertainty: where all models are unsure alike (noise), it is
0.

The score, in nats, is the mutual information of the label and the model.
"""

from sslcore.selection.information import mutual_information
from sslcore.selection.picks import Strategy
from sslcore.selection.ranking import divided_bytes, most_divided

__all__ = ["STRATEGY"]


STRATEGY = Strategy(
    about="what several models are sure of and disagree about (Houlsby et al. 2011, arxiv.org/abs/1112.5745)",
    begin=most_divided(
        mutual_information,
        column="bald",
        words=lambda p_MC, nats: f"{len(p_MC)} models disagree: a label tells {nats:.3f} nats about them",
    ),
    needs=frozenset({"models"}),
    estimate=divided_bytes,
)
