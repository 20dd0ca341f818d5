"""Config of the report stage."""

from typing import Literal

from pydantic import Field

from sslcore.config.base import StageConfig

__all__ = ["ReportConfig"]


class ReportConfig(StageConfig):
    """What the page shows."""

    title: str = "sslflow"
    """Heading of the page."""
    map: Literal["pca", "tsne"] = "tsne"
    """How the embeddings become two-dimensional."""
    max_points: int = Field(default=2000, ge=1)
    """Samples on the map; what was selected is always there, the others are drawn at random."""
    thumbnail_size: int = Field(default=48, ge=8)
    """Longer side of a thumbnail in pixels."""
    seed: int = Field(default=0, ge=0)
    """Seed of the drawn samples and of the map."""
