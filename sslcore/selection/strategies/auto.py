"""Strategy ``auto``: draft."""

from sslcore.selection.coverage import bytes_needed
from sslcore.selection.picks import Strategy
from sslcore.selection.strategies import uherding

STRATEGY = Strategy(about="draft (none)", begin=uherding.begin, estimate=lambda pool, k: bytes_needed(pool))
