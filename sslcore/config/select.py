"""Config of the select stage."""

from typing import Literal

from pydantic import Field

from sslcore.config.base import StageConfig

__all__ = ["SelectConfig"]


class SelectConfig(StageConfig):
    """Which samples to label next."""

    strategy: str = "kmeans"
    """Name of the strategy; `sslflow list strategies` shows them."""
    budget: int = Field(default=100, ge=1)
    """How many samples to pick; fewer when the pool is smaller."""
    pool: Literal["unlabelled", "all"] = "unlabelled"
    """Pick among the samples without a label, or among all."""
    splits: tuple[Literal["train", "val", "test"], ...] = Field(default=("train",), min_length=1)
    """Pick only from these splits, so that validation and test stay what they are."""
    seed: int = Field(default=0, ge=0)
    """Seed of the strategies that use chance."""
