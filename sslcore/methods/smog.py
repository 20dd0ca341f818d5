"""SMoG: an instance is told apart from groups of instances, which move in step with the network.

Pang, Zhang, Li, Cai, Lu: Unsupervised Visual Representation Learning by Synchronous Momentum Grouping, 2022,
https://arxiv.org/abs/2207.06167.

Different here: both full-size views are predicted from each other in every step; features count as unit
vectors in groups; the periodic regrouping is k-means on the sphere over the last ``queue_size``
projections.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import group_contrast, moved_groups, nearest_groups
from sslcore.methods.kmeans import spherical_kmeans
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.queue import FeatureQueue
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["SMoG", "SMoGOptions"]


class SMoGOptions(StageConfig):
    """Settings of SMoG."""

    temperature: float = Field(default=0.1, gt=0)
    """Divides the similarities."""
    num_groups: int = Field(default=3000, ge=2)
    """Groups; 300 for data sets as small as CIFAR-10."""
    group_momentum: float = Field(default=0.99, ge=0, le=1)
    """What remains of a group at each step (beta)."""
    regroup_steps: int = Field(default=300, ge=0)
    """After how many steps groups are made anew from the queue; 0 for never."""
    queue_size: int = Field(default=76800, ge=1)
    """Projections that regrouping takes into account: 300 batches of 256."""
    momentum: float = Field(default=0.999, ge=0, le=1)
    """What the teacher keeps of itself at the first step; rises to 1 on a cosine."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the hidden layer of both heads."""
    out_dim: int = Field(default=128, ge=1)
    """Width of projections, predictions and groups."""


class SMoG(Method):
    """A backbone with two heads, the moving average of backbone and first head, and groups.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = SMoGOptions
    name = "smog"
    summary = "contrast with groups that move in step; Pang et al. 2022, https://arxiv.org/abs/2207.06167"
    views_name = "smog"
    num_local_views = 4
    groups: Tensor

    def __init__(self, backbone: nn.Module, options: SMoGOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or SMoGOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        hidden, out = options.hidden_dim, options.out_dim
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, hidden, out, out_norm="unscaled")
        self.prediction_head = ProjectionHead(out, hidden, out, out_norm="none")
        self.teacher_backbone = momentum_copy(backbone)
        self.teacher_head = momentum_copy(self.projection_head)
        self.queue = FeatureQueue(options.queue_size, out)
        self.register_buffer("groups", functional.normalize(torch.randn(options.num_groups, out), dim=1))

    def before_step(self, progress: Progress) -> None:
        """Make the groups anew when their time has come and the queue holds enough."""
        every, held = self.options.regroup_steps, min(self.queue.size, int(self.queue.num_pushed))
        if every and progress.step and progress.step % every == 0 and held >= len(self.groups):
            self.groups.copy_(spherical_kmeans(self.queue.features[:held], len(self.groups)))

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two full-size views, each [B, C, H, W], and of others after them, if any."""
        check_views(views, self.name, least=2)
        z = encode_by_size(lambda view: self.projection_head(self.backbone(view)), views)
        predictions = [self.prediction_head(each) for each in z]
        with torch.no_grad():
            targets = [self.teacher_head(self.teacher_backbone(view)) for view in views[:2]]
        assigned = [nearest_groups(each, self.groups) for each in targets]
        groups = moved_groups(self.groups, torch.cat(z[:2]), momentum=self.options.group_momentum)
        losses = [
            group_contrast(prediction, groups, group, temperature=self.options.temperature)
            for number, group in enumerate(assigned)
            for view, prediction in enumerate(predictions)
            if view != number
        ]
        if self.training:
            self.groups.copy_(groups.detach())
            self.queue.push(functional.normalize(z[0].float(), dim=1))
        return torch.stack(losses).mean()

    def after_step(self, progress: Progress) -> None:
        """Move the teacher."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        update_momentum(self.teacher_head, self.projection_head, momentum)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return scaled_lr(optimizer, batch_size, sgd=0.06, lars=0.3)
