"""Which samples to label next: one door, `select`, and strategies by name."""

from sslcore.selection.picks import Picks, Selection, Strategy
from sslcore.selection.select import select
from sslcore.selection.select_step import SelectReport, select_samples
from sslcore.selection.strategies import STRATEGIES

__all__ = ["STRATEGIES", "Picks", "SelectReport", "Selection", "Strategy", "select", "select_samples"]
