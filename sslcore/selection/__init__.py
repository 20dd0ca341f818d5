"""Which samples to label next: one door, `select`, and strategies by name."""

from sslcore.selection.picks import Picks, Steps, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.select import select
from sslcore.selection.select_step import SelectReport, select_samples
from sslcore.selection.selection import Selection
from sslcore.selection.strategies import STRATEGIES

__all__ = [
    "STRATEGIES",
    "Picks",
    "Pool",
    "SelectReport",
    "Selection",
    "Steps",
    "Strategy",
    "select",
    "select_samples",
]
