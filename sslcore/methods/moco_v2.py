"""MoCo v2: a query finds its key, made by a slowly moving encoder, among a queue of earlier keys.

Chen, Fan, Girshick, He: Improved Baselines with Momentum Contrastive Learning, 2020,
https://arxiv.org/abs/2003.04297, on He et al. 2019, https://arxiv.org/abs/1911.05722.

Different here: shuffled batch norm works in one process too, where keys are encoded in ``key_groups``
random groups in place of as many GPUs; and ``symmetric`` takes both views as queries, as is usual on small
data sets.
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
from sslcore.methods.momentum import momentum_copy, update_momentum
from sslcore.methods.queue import FeatureQueue
from sslcore.methods.rates import scaled_lr
from sslcore.methods.shuffle import encode_shuffled
from sslcore.methods.view_count import check_views

__all__ = ["MoCoV2", "MoCoV2Options"]


class MoCoV2Options(StageConfig):
    """Settings of MoCo v2."""

    temperature: float = Field(default=0.2, gt=0)
    """Divides the similarities."""
    momentum: float = Field(default=0.999, ge=0, le=1)
    """What the key encoder keeps of itself at each step; 0.99 for data sets as small as CIFAR-10."""
    queue_size: int = Field(default=65536, ge=1)
    """Keys that are kept as negatives; less than the data set has images (4096 for CIFAR-10)."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the hidden layer of the projection head."""
    out_dim: int = Field(default=128, ge=1)
    """Width of the projections."""
    key_groups: int = Field(default=8, ge=1)
    """In how many shuffled groups keys are encoded (of all processes together): GPUs in the paper."""
    symmetric: bool = False
    """Whether the second view is a query as well."""


class MoCoV2(Method):
    """A backbone and head with their moving averages and a queue.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = MoCoV2Options
    name = "mocov2"
    summary = "a query finds its key among a queue; Chen et al. 2020, https://arxiv.org/abs/2003.04297"
    views_name = "mocov2"

    def __init__(self, backbone: nn.Module, options: MoCoV2Options | None = None) -> None:
        super().__init__()
        self.options = options = options or MoCoV2Options()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(
            width, options.hidden_dim, options.out_dim, hidden_norm=False, out_norm="none"
        )
        self.teacher_backbone = momentum_copy(backbone)
        self.teacher_head = momentum_copy(self.projection_head)
        self.queue = FeatureQueue(options.queue_size, options.out_dim)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W]."""
        first, second = check_views(views, self.name, least=2, most=2)
        ways = [(first, second), (second, first)] if self.options.symmetric else [(first, second)]
        losses, keys = zip(*(self._contrast(*way) for way in ways), strict=True)
        if self.training:
            for each in keys:
                self.queue.push(each)
        return torch.stack(losses).mean()

    def _contrast(self, query_view: Tensor, key_view: Tensor) -> tuple[Tensor, Tensor]:
        queries = self.projection_head(self.backbone(query_view))
        (keys,) = encode_shuffled(self._keys, key_view, num_groups=self.options.key_groups)
        negatives = self.queue.features
        return info_nce(queries, keys, temperature=self.options.temperature, negatives=negatives), keys

    def _keys(self, images: Tensor) -> tuple[Tensor, ...]:
        keys: Tensor = self.teacher_head(self.teacher_backbone(images))
        return (nn.functional.normalize(keys.float(), dim=1),)

    def after_step(self, progress: Progress) -> None:
        """Move the key encoder."""
        update_momentum(self.teacher_backbone, self.backbone, self.options.momentum)
        update_momentum(self.teacher_head, self.projection_head, self.options.momentum)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size: with SGD the paper's 0.03 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.03, lars=0.3)
