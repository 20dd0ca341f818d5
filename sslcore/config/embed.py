"""Config of the embed stage."""

from typing import Literal

from pydantic import Field

from sslcore.config.base import StageConfig

__all__ = ["EmbedConfig"]


class EmbedConfig(StageConfig):
    """How every sample becomes a vector."""

    features: str = Field(
        default="pooled", pattern=r"^(pooled|cls|patch_mean|patches|layers:[\w.]+(,[\w.]+)*)$"
    )
    """pooled (what the network returns), cls, patch_mean or patches (of a transformer), or layers:NAME,NAME
    (outputs of its child modules, averaged over places, side by side)."""
    batch_size: int = Field(default=256, ge=1)
    """Samples per forward pass."""
    dtype: Literal["float32", "float16"] = "float32"
    """How the vectors are stored."""
    normalize: bool = False
    """Whether the stored vectors have unit length."""
    formats: tuple[Literal["csv", "npy"], ...] = ()
    """Further files beside the Parquet parts: embeddings.csv in lightly's layout, embeddings.npy."""
    rows_per_file: int = Field(default=50_000, ge=1)
    """Rows in each part-*.parquet."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes a GPU when there is one."""
    num_processes: int = Field(default=1, ge=1)
    """Processes that embed, each its own parts; one per GPU where there are several."""
    num_workers: int = Field(default=2, ge=0)
    """Processes that decode images; 0 decodes in this process."""
