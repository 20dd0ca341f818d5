"""Config of the evaluate stage."""

from typing import Annotated, Literal

from pydantic import Field

from sslcore.config.base import StageConfig

__all__ = ["EvaluateConfig"]


class EvaluateConfig(StageConfig):
    """How the backbone is judged."""

    knn_k: int = Field(default=20, ge=1)
    """Neighbours that vote; fewer when there are fewer labelled samples."""
    knn_temperature: float = Field(default=0.1, gt=0)
    """A neighbour votes with exp(cosine similarity / temperature)."""
    label_budgets: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """Numbers of labels on the label-efficiency curve; null takes 1, 2, 5, 10, ... per class, up to all."""
    label_seeds: int = Field(default=3, ge=1)
    """How often the labels of each point of that curve are drawn."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Of the bootstrap intervals."""
    probe_l2: float = Field(default=1e-3, gt=0)
    """Weight penalty of the linear probe on standardized features."""
    raw_pixels_size: int = Field(default=32, ge=4)
    """Side in pixels of the images in the raw-pixel baseline."""
    batch_size: int = Field(default=256, ge=1)
    """Samples per forward pass of the networks it is compared with."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes a GPU when there is one."""
    num_workers: int = Field(default=2, ge=0)
    """Processes that decode images; 0 decodes in this process."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random weights it is compared with."""
