"""What to weigh when samples are chosen; objectives combine as the product of their values' powers."""

from sslcore.selection.objectives.balance import Balance
from sslcore.selection.objectives.base import FLOOR, Objective, State
from sslcore.selection.objectives.covering import Covering
from sslcore.selection.objectives.diversity import Diversity
from sslcore.selection.objectives.similarity import Similarity
from sslcore.selection.objectives.typicality import Typicality
from sslcore.selection.objectives.uncertainty import Uncertainty
from sslcore.selection.objectives.weights import RandomWeights, Weights

__all__ = [
    "FLOOR",
    "Balance",
    "Covering",
    "Diversity",
    "Objective",
    "RandomWeights",
    "Similarity",
    "State",
    "Typicality",
    "Uncertainty",
    "Weights",
]
