"""SimSiam: predict the other view's projection, which takes no gradient; no negatives, no moving average.

Chen, He: Exploring Simple Siamese Representation Learning, 2020, https://arxiv.org/abs/2011.10566.

Different here: the prediction head's learning rate follows the schedule like all others (the authors keep it
constant, which they report to be slightly better).
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import negative_cosine
from sslcore.methods.method import Method
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["SimSiam", "SimSiamOptions"]


class SimSiamOptions(StageConfig):
    """Settings of SimSiam."""

    out_dim: int = Field(default=2048, ge=1)
    """Width of all layers of the projection head, and of the predictions."""
    num_layers: int = Field(default=3, ge=1)
    """Linear layers of the projection head; the paper takes 2 for CIFAR-10."""
    prediction_hidden_dim: int = Field(default=512, ge=1)
    """Width of the hidden layer of the prediction head; a quarter of out_dim in the paper."""


class SimSiam(Method):
    """A backbone with two heads.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = SimSiamOptions
    name = "simsiam"
    summary = "predicts the other view, no negatives; Chen and He 2020, https://arxiv.org/abs/2011.10566"
    views_name = "simsiam"

    def __init__(self, backbone: nn.Module, options: SimSiamOptions | None = None) -> None:
        super().__init__()
        options = options or SimSiamOptions()
        width, out = int(backbone.embed_dim), options.out_dim  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, out, out, options.num_layers, out_norm="unscaled")
        self.prediction_head = ProjectionHead(out, options.prediction_hidden_dim, out, out_norm="none")

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W], both ways round: -1 where all agree."""
        check_views(views, self.name, least=2, most=2)
        z_a, z_b = (self.projection_head(self.backbone(view)) for view in views)
        p_a, p_b = self.prediction_head(z_a), self.prediction_head(z_b)
        return (negative_cosine(p_a, z_b) + negative_cosine(p_b, z_a)) / 2

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size: with SGD the paper's 0.05 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.05, lars=0.2)
