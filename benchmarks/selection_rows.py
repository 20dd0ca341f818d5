"""The lines of the table that selection.py measures."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    """What is done."""
    shape: tuple[int, int]
    """Vectors and dimensions."""
    ours: dict[str, Any]
    """Arguments of `run_ours`."""
    peers: dict[str, dict[str, Any]]
    """Arguments of the peer's function, by peer; ``times`` says what its time is to be multiplied by."""
    dtype: str = "float32"
    quick: bool = True
    """Whether it is run when no row is named."""


ROWS = {
    "kcenter-1k": Row(
        "k-center 50k x 384, k = 1,000",
        (50_000, 384),
        {"strategy": "kcenter", "k": 1000},
        {"lightly-mundig": {"k": 1000}},
    ),
    "kcenter-10k": Row(
        "k-center 50k x 384, k = 10,000",
        (50_000, 384),
        {"strategy": "kcenter", "k": 10_000},
        {"lightly-mundig": {"k": 10_000}},
    ),
    "kcenter-naive": Row(
        "k-center 50k x 384, k = 1,000, by the book in float64",
        (50_000, 384),
        {"strategy": "kcenter", "k": 1000},
        {"numpy": {"k": 1000}},
    ),
    "kcenter-skactiveml": Row(
        "k-center 50k x 384, k = 100",
        (50_000, 384),
        {"strategy": "kcenter", "k": 100},
        {"scikit-activeml": {"what": "CoreSet", "k": 100}},
        quick=False,
    ),
    "kcenter-1m": Row(
        "k-center 1M x 384, k = 10,000 (peer: k = 500, times 20)",
        (1_000_000, 384),
        {"strategy": "kcenter", "k": 10_000, "map": True},
        {"lightly-mundig": {"k": 500, "times": 20}},
        quick=False,
    ),
    "kcenter-10m": Row(
        "k-center 10M x 384 float16 on disk, k = 10,000",
        (10_000_000, 384),
        {"strategy": "kcenter", "k": 10_000, "map": True, "memory": "4GB"},
        {},
        dtype="float16",
        quick=False,
    ),
    "maxherding-10k": Row(
        "MaxHerding 10k x 384, k = 1,000",
        (10_000, 384),
        {"strategy": "maxherding", "k": 1000},
        {"apricot": {"k": 1000}},
    ),
    "maxherding-submodlib": Row(
        "MaxHerding 5k x 384, k = 100",
        (5_000, 384),
        {"strategy": "maxherding", "k": 100},
        {"submodlib": {"k": 100}},
        quick=False,
    ),
    "maxherding-50k": Row(
        "MaxHerding 50k x 384, k = 1,000, sampled",
        (50_000, 384),
        {"strategy": "maxherding", "k": 1000},
        {"full": {"k": 1000}},
        quick=False,
    ),
    "typiclust": Row(
        "TypiClust 50k x 384, k = 100",
        (50_000, 384),
        {"strategy": "typiclust", "k": 100},
        {"scikit-activeml": {"what": "TypiClust", "k": 100}},
    ),
    "kmeans": Row(
        "k-means-nearest 50k x 384, k = 1,000",
        (50_000, 384),
        {"strategy": "kmeans", "k": 1000},
        {"faiss": {"what": "kmeans", "k": 1000}},
    ),
    "badge": Row(
        "BADGE 50k x 384, C = 10, k = 1,000",
        (50_000, 384),
        {"strategy": "badge", "k": 1000, "classes": 10},
        {},
    ),
    "bait": Row(
        "BAIT 50k x 384, C = 10, k = 100",
        (50_000, 384),
        {"strategy": "bait", "k": 100, "classes": 10},
        {},
    ),
    "dedup": Row(
        "deduplication, exact, 50k x 384",
        (50_000, 384),
        {"strategy": "random", "k": 1, "dedup": 0.5},
        {"faiss": {"what": "range", "distance": 0.5}},
    ),
    "dedup-1m": Row(
        "deduplication, exact, 1M x 384",
        (1_000_000, 384),
        {"strategy": "random", "k": 1, "map": True, "dedup": 0.5},
        {},
        quick=False,
    ),
    "dedup-groups-1m": Row(
        "deduplication by groups, 1M x 384",
        (1_000_000, 384),
        {"strategy": "random", "k": 1, "map": True, "dedup": {"min_distance": 0.5, "method": "semdedup"}},
        {},
        quick=False,
    ),
}
