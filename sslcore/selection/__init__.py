"""Which samples to label next: one door, `select`, and strategies by name."""

from sslcore.selection.adapters import ActiveLearningAgent, Query
from sslcore.selection.dedup import Dedup
from sslcore.selection.picks import Picks, Steps, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.select import select
from sslcore.selection.select_step import SelectReport, select_samples
from sslcore.selection.selection import Selection
from sslcore.selection.sharded import Shard, ShardedSelection, select_sharded
from sslcore.selection.strategies import STRATEGIES

__all__ = [
    "STRATEGIES",
    "ActiveLearningAgent",
    "Dedup",
    "Picks",
    "Pool",
    "Query",
    "SelectReport",
    "Selection",
    "Shard",
    "ShardedSelection",
    "Steps",
    "Strategy",
    "select",
    "select_samples",
    "select_sharded",
]
