"""Strategies by name, one file each."""

from collections.abc import Mapping
from types import MappingProxyType

from sslcore.selection.picks import Strategy
from sslcore.selection.strategies import kcenter, kmeans, random

__all__ = ["PICKERS", "STRATEGIES"]

PICKERS: Mapping[str, Strategy] = MappingProxyType(
    {"kcenter": kcenter.pick, "kmeans": kmeans.pick, "random": random.pick}
)

STRATEGIES: Mapping[str, str] = MappingProxyType(
    {
        "kcenter": "the sample farthest from all chosen or labelled, exact; coverage, video, duplicates"
        " (Gonzalez 1985; Sener & Savarese 2018, arxiv.org/abs/1708.00489)",
        "kmeans": "the samples nearest to the centres of k groups, largest first; good with few labels"
        " (Pourahmadi et al. 2021, arxiv.org/abs/2110.12033)",
        "random": "drawn at random; what the others must beat",
    }
)
