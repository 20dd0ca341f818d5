"""TiCo: views agree, and features avoid the directions that recent features share.

Zhu, Moraes, Karakulak, Sobol, Canziani, LeCun: TiCo: Transformation Invariance and Covariance Contrast, 2022,
https://arxiv.org/abs/2206.10698. It works like MoCo with an endless queue that costs no memory.

Different here: SGD by default instead of LARS.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import tico
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["TiCo", "TiCoOptions"]


class TiCoOptions(StageConfig):
    """Settings of TiCo."""

    covariance_decay: float = Field(default=0.9, ge=0, lt=1)
    """What remains of the covariance at each step (beta)."""
    covariance_weight: float = Field(default=8.0, ge=0)
    """Weight of the covariance term (rho)."""
    momentum: float = Field(default=0.99, ge=0, le=1)
    """What the teacher keeps of itself at the first step; rises to 1 on a cosine."""
    hidden_dim: int = Field(default=4096, ge=1)
    """Width of the hidden layer of the projection head."""
    out_dim: int = Field(default=256, ge=1)
    """Width of the projections."""


class TiCo(Method):
    """A backbone and head with their moving averages, and the covariance of recent features.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = TiCoOptions
    name = "tico"
    summary = "views agree, shared directions are avoided; Zhu et al. 2022, https://arxiv.org/abs/2206.10698"
    views_name = "tico"
    covariance: Tensor

    def __init__(self, backbone: nn.Module, options: TiCoOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or TiCoOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, options.hidden_dim, options.out_dim, out_norm="none")
        self.teacher_backbone = momentum_copy(backbone)
        self.teacher_head = momentum_copy(self.projection_head)
        self.register_buffer("covariance", torch.zeros(options.out_dim, options.out_dim))

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W]: the student's and the teacher's."""
        first, second = check_views(views, self.name, least=2, most=2)
        z_a = self.projection_head(self.backbone(first))
        with torch.no_grad():
            z_b = self.teacher_head(self.teacher_backbone(second))
        loss, covariance = tico(
            z_a,
            z_b,
            self.covariance,
            decay=self.options.covariance_decay,
            weight=self.options.covariance_weight,
        )
        if self.training:
            self.covariance.copy_(covariance)
        return loss

    def after_step(self, progress: Progress) -> None:
        """Move the teacher."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        update_momentum(self.teacher_head, self.projection_head, momentum)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.2)
