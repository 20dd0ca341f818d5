"""DenseCL: MoCo v2 for whole images and, half of the loss, for each place of the feature map.

Wang, Zhang, Shen, Kong, Li: Dense Contrastive Learning for Self-Supervised Visual Pre-Training, 2020,
https://arxiv.org/abs/2011.09157. A place's positive is the place of the other view whose backbone features
are most similar. For detection and segmentation, which need features that differ from place to place.

Different here: shuffled batch norm as in `sslcore.methods.moco_v2`; the dense loss counts from the first step
(the authors' code switches it on after a thousand).
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sslcore.backbones.feature_map import feature_map
from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import info_nce
from sslcore.losses.matching import most_similar, take_positions
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import momentum_copy, update_momentum
from sslcore.methods.queue import FeatureQueue
from sslcore.methods.rates import scaled_lr
from sslcore.methods.shuffle import encode_shuffled
from sslcore.methods.view_count import check_views

__all__ = ["DenseCL", "DenseCLOptions"]


class DenseCLOptions(StageConfig):
    """Settings of DenseCL."""

    dense_weight: float = Field(default=0.5, ge=0, le=1)
    """Share of the dense loss; the rest is MoCo v2's (lambda)."""
    temperature: float = Field(default=0.2, gt=0)
    """Divides the similarities."""
    momentum: float = Field(default=0.999, ge=0, le=1)
    """What the key encoder keeps of itself at each step."""
    queue_size: int = Field(default=65536, ge=1)
    """Keys kept as negatives, for images and for places; less than the data set has images."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the hidden layer of both heads."""
    out_dim: int = Field(default=128, ge=1)
    """Width of the projections."""
    key_groups: int = Field(default=8, ge=1)
    """In how many shuffled groups keys are encoded (of all processes together): GPUs in the paper."""


class DenseCL(Method):
    """A convolutional backbone with a global and a dense head, their moving averages and queues.

    Args:
        backbone: One that `sslcore.backbones.feature_map` takes, with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = DenseCLOptions
    name = "densecl"
    summary = "MoCo v2 for images and for places; Wang et al. 2020, https://arxiv.org/abs/2011.09157"
    views_name = "densecl"

    def __init__(self, backbone: nn.Module, options: DenseCLOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or DenseCLOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        hidden, out = options.hidden_dim, options.out_dim
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, hidden, out, hidden_norm=False, out_norm="none")
        self.dense_head = ProjectionHead(width, hidden, out, hidden_norm=False, out_norm="none")
        self.teacher_backbone = momentum_copy(backbone)
        self.teacher_head = momentum_copy(self.projection_head)
        self.teacher_dense_head = momentum_copy(self.dense_head)
        self.queue = FeatureQueue(options.queue_size, out)
        self.dense_queue = FeatureQueue(options.queue_size, out)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W]."""
        first, second = check_views(views, self.name, least=2, most=2)
        queries, dense_queries, features = _project(
            self.backbone, self.projection_head, self.dense_head, first
        )
        keys, dense_keys, key_features = encode_shuffled(
            self._keys, second, num_groups=self.options.key_groups
        )
        matched = take_positions(dense_keys, most_similar(features, key_features))
        temperature = self.options.temperature
        of_images = info_nce(queries, keys, temperature=temperature, negatives=self.queue.features)
        of_places = info_nce(
            dense_queries.flatten(0, 1),
            matched.flatten(0, 1),
            temperature=temperature,
            negatives=self.dense_queue.features,
        )
        if self.training:
            self.queue.push(functional.normalize(keys.float(), dim=1))
            self.dense_queue.push(functional.normalize(dense_keys.float().mean(dim=1), dim=1))
        return (1 - self.options.dense_weight) * of_images + self.options.dense_weight * of_places

    def _keys(self, images: Tensor) -> tuple[Tensor, ...]:
        return _project(self.teacher_backbone, self.teacher_head, self.teacher_dense_head, images)

    def after_step(self, progress: Progress) -> None:
        """Move the key encoder."""
        update_momentum(self.teacher_backbone, self.backbone, self.options.momentum)
        update_momentum(self.teacher_head, self.projection_head, self.options.momentum)
        update_momentum(self.teacher_dense_head, self.dense_head, self.options.momentum)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size: with SGD the paper's 0.03 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.03, lars=0.3)


def _project(
    backbone: nn.Module, head: nn.Module, dense_head: nn.Module, images: Tensor
) -> tuple[Tensor, ...]:
    """Return projections [B, out], those of each place [B, P, out], and features of each place [B, P, D]."""
    features = feature_map(backbone, images).flatten(2).mT
    dense: Tensor = dense_head(features.flatten(0, 1))
    return head(features.mean(dim=1)), dense.reshape(*features.shape[:2], -1), features
