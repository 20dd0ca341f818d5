"""BYOL: predict what a slowly moving copy of oneself makes of the other view; there are no negatives.

Grill et al.: Bootstrap Your Own Latent, 2020, https://arxiv.org/abs/2006.07733.

Different here: SGD by default instead of LARS.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import negative_cosine
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["BYOL", "BYOLOptions"]


class BYOLOptions(StageConfig):
    """Settings of BYOL."""

    momentum: float = Field(default=0.996, ge=0, le=1)
    """What the target network keeps of itself at the first step; rises to 1 on a cosine."""
    hidden_dim: int = Field(default=4096, ge=1)
    """Width of the hidden layer of both heads."""
    out_dim: int = Field(default=256, ge=1)
    """Width of projections and predictions."""


class BYOL(Method):
    """A backbone with two heads, and the moving average of backbone and first head.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = BYOLOptions
    name = "byol"
    summary = (
        "predicts its own moving average, no negatives; Grill et al. 2020, https://arxiv.org/abs/2006.07733"
    )
    views_name = "byol"

    def __init__(self, backbone: nn.Module, options: BYOLOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or BYOLOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, options.hidden_dim, options.out_dim, out_norm="none")
        self.prediction_head = ProjectionHead(
            options.out_dim, options.hidden_dim, options.out_dim, out_norm="none"
        )
        self.teacher_backbone = momentum_copy(backbone)
        self.teacher_head = momentum_copy(self.projection_head)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W], both ways round: 0 where all agree, at most 8."""
        check_views(views, self.name, least=2, most=2)
        p_a, p_b = (self.prediction_head(self.projection_head(self.backbone(view))) for view in views)
        with torch.no_grad():
            z_a, z_b = (self.teacher_head(self.teacher_backbone(view)) for view in views)
        return 4 + 2 * (negative_cosine(p_a, z_b) + negative_cosine(p_b, z_a))

    def after_step(self, progress: Progress) -> None:
        """Move the target network."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        update_momentum(self.teacher_head, self.projection_head, momentum)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; the paper's is LARS 0.2 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.2)
