"""MoCo v3: a query, after a prediction head, finds its key among the keys of the batch.

Chen, Xie, He: An Empirical Study of Training Self-Supervised Vision Transformers, 2021,
https://arxiv.org/abs/2104.02057.

Different here: the patch projection of a vision transformer is trained (the paper freezes it, section 4.2);
and the temperature and momentum are those for ResNet-50 in the authors' code, 1.0 and 0.996, since the
default backbone is a ResNet (for ViT they are 0.2 and 0.99, with three layers in the projection head).
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import info_nce
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["MoCoV3", "MoCoV3Options"]


class MoCoV3Options(StageConfig):
    """Settings of MoCo v3."""

    temperature: float = Field(default=1.0, gt=0)
    """Divides the similarities; 1.0 for ResNet-50, 0.2 for ViT."""
    momentum: float = Field(default=0.996, ge=0, le=1)
    """What the key encoder keeps of itself at the first step; rises to 1 on a cosine. 0.99 for ViT."""
    hidden_dim: int = Field(default=4096, ge=1)
    """Width of the hidden layers of both heads."""
    out_dim: int = Field(default=256, ge=1)
    """Width of projections and predictions."""
    num_layers: int = Field(default=2, ge=1)
    """Linear layers of the projection head; 2 for ResNet-50, 3 for ViT."""


class MoCoV3(Method):
    """A backbone with two heads, and the moving average of backbone and first head.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the authors' for ResNet-50.
    """

    Options: ClassVar[type[StageConfig]] = MoCoV3Options
    name = "mocov3"
    summary = (
        "a predicted query finds its key in the batch; Chen et al. 2021, https://arxiv.org/abs/2104.02057"
    )
    views_name = "mocov3"

    def __init__(self, backbone: nn.Module, options: MoCoV3Options | None = None) -> None:
        super().__init__()
        self.options = options = options or MoCoV3Options()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        hidden, out = options.hidden_dim, options.out_dim
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, hidden, out, options.num_layers, out_norm="unscaled")
        self.prediction_head = ProjectionHead(out, hidden, out, out_norm="none")
        self.teacher_backbone = momentum_copy(backbone)
        self.teacher_head = momentum_copy(self.projection_head)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W], both ways round."""
        check_views(views, self.name, least=2, most=2)
        q_a, q_b = (self.prediction_head(self.projection_head(self.backbone(view))) for view in views)
        with torch.no_grad():
            k_a, k_b = (self.teacher_head(self.teacher_backbone(view)) for view in views)
        temperature = self.options.temperature
        both = info_nce(q_a, k_b, temperature=temperature) + info_nce(q_b, k_a, temperature=temperature)
        return 2 * temperature * both

    def after_step(self, progress: Progress) -> None:
        """Move the key encoder."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        update_momentum(self.teacher_head, self.projection_head, momentum)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate; the paper's are LARS 0.3 and AdamW 0.00015 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.3, adamw=1.5e-4)
