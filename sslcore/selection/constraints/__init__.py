"""What must hold for every pick, whatever the objectives say."""

from sslcore.selection.constraints.base import Constraint, Rule
from sslcore.selection.constraints.cost import Cost
from sslcore.selection.constraints.quota import Quota
from sslcore.selection.constraints.sequences import Sequences
from sslcore.selection.constraints.threshold import Threshold

__all__ = ["Constraint", "Cost", "Quota", "Rule", "Sequences", "Threshold"]
