"""NNCLR: the positive is not the other view itself but its nearest neighbour among earlier images.

Dwibedi, Aytar, Tompson, Sermanet, Zisserman: With a Little Help from My Friends, 2021,
https://arxiv.org/abs/2104.14548.

Different here: SGD by default instead of LARS.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import info_nce
from sslcore.methods.method import Method
from sslcore.methods.queue import FeatureQueue
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["NNCLR", "NNCLROptions", "nearest_in"]


class NNCLROptions(StageConfig):
    """Settings of NNCLR."""

    temperature: float = Field(default=0.1, gt=0)
    """Divides the similarities."""
    queue_size: int = Field(default=98304, ge=1)
    """Projections that neighbours are looked for in; fewer than there are images (4096 for CIFAR-10)."""
    projection_hidden_dim: int = Field(default=2048, ge=1)
    """Width of the two hidden layers of the projection head."""
    prediction_hidden_dim: int = Field(default=4096, ge=1)
    """Width of the hidden layer of the prediction head."""
    out_dim: int = Field(default=256, ge=1)
    """Width of projections and predictions."""


class NNCLR(Method):
    """A backbone with two heads and a queue of projections.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = NNCLROptions
    name = "nnclr"
    summary = (
        "attracts the other view's nearest neighbour; Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548"
    )
    views_name = "simclr"

    def __init__(self, backbone: nn.Module, options: NNCLROptions | None = None) -> None:
        super().__init__()
        options = options or NNCLROptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        out = options.out_dim
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, options.projection_hidden_dim, out, 3)
        self.prediction_head = ProjectionHead(out, options.prediction_hidden_dim, out, out_norm="none")
        self.queue = FeatureQueue(options.queue_size, out)
        self.temperature = options.temperature

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W], both ways round."""
        check_views(views, self.name, least=2, most=2)
        z_a, z_b = (self.projection_head(self.backbone(view)) for view in views)
        p_a, p_b = self.prediction_head(z_a), self.prediction_head(z_b)
        near_a, near_b = (nearest_in(self.queue.features, z) for z in (z_a, z_b))
        loss = info_nce(near_a, p_b, temperature=self.temperature)
        loss = (loss + info_nce(near_b, p_a, temperature=self.temperature)) / 2
        if self.training:
            self.queue.push(functional.normalize(z_a.float(), dim=1))
        return loss

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; the paper's is LARS 0.3 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.3)


@torch.no_grad()
def nearest_in(bank: Tensor, z: Tensor) -> Tensor:
    """Return for each of z [N, D] the most similar of the unit vectors ``bank`` [K, D], as [N, D]."""
    with torch.autocast(z.device.type, enabled=False):
        return bank[(functional.normalize(z.float(), dim=1) @ bank.T).argmax(dim=1)]
