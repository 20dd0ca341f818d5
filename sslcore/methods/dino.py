"""DINO: a student says of every crop what a slower teacher says of the large ones.

Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin: Emerging Properties in Self-Supervised Vision
Transformers, 2021, https://arxiv.org/abs/2104.14294.

Shapes: V views, T of them global, B images, K outputs of the head.

Different here: warm-ups are at most three tenths of a short run; the last layer is normalized where it is
used instead of stored as length and direction. ``out_dim`` is the paper's 65536, made for a million images;
for tens of thousands 1024 to 8192 learn as well and far faster. Any backbone works; drop path needs one of
`sslcore.backbones.vit`. The teacher is kept, as in the paper.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads.dino import DINOHead
from sslcore.losses.centring import Centring
from sslcore.losses.self_distillation import self_distillation
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.schedules import (
    clip_each,
    cosine_between,
    frozen_at_first,
    linear_lr,
    set_drop_path,
    warmed_up,
)
from sslcore.methods.view_count import check_views

__all__ = ["DINO", "DINOOptions"]

NUM_GLOBAL = 2


class DINOOptions(StageConfig):
    """Settings of DINO."""

    out_dim: int = Field(default=65536, ge=2)
    """Outputs of the head; the paper's 65536 are for ImageNet, small data sets do with 1024 to 8192."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the head's hidden layers."""
    bottleneck_dim: int = Field(default=256, ge=1)
    """Width of the head before its last layer."""
    num_layers: int = Field(default=3, ge=1)
    """Linear layers of the head before its last."""
    student_temperature: float = Field(default=0.1, gt=0)
    """Divides the student's logits."""
    warmup_teacher_temperature: float = Field(default=0.04, gt=0)
    """Divides the teacher's logits at the first step."""
    teacher_temperature: float = Field(default=0.07, gt=0)
    """Divides the teacher's logits after the warm-up; lower it when the loss does not fall."""
    warmup_teacher_epochs: float = Field(default=30, ge=0)
    """Epochs in which the teacher's temperature rises."""
    centre_momentum: float = Field(default=0.9, ge=0, le=1)
    """Of the moving average that is taken off the teacher's logits."""
    momentum: float = Field(default=0.996, ge=0, le=1)
    """Of the teacher at the first step; it rises to 1 by half a cosine."""
    final_weight_decay_factor: float = Field(default=10.0, ge=0)
    """What the weight decay is multiplied by at the last step (0.04 to 0.4); half a cosine leads there."""
    freeze_last_layer_epochs: float = Field(default=1, ge=0)
    """Epochs in which the head's last layer stays as it was drawn."""
    clip_grad: float = Field(default=3.0, ge=0)
    """Greatest length of each parameter's gradient; 0 clips none."""
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Chance that the student's last block is skipped for an image; less in the blocks before."""


class DINO(Method):
    """A backbone with DINO's head, their moving averages, and the loss between them.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = DINOOptions
    name = "dino"
    summary = (
        "a student matches a slower teacher across crops; Caron et al. 2021, https://arxiv.org/abs/2104.14294"
    )
    views_name = "dino"
    default_optimizer = "adamw"
    default_weight_decay = 0.04
    num_local_views = 6

    def __init__(self, backbone: nn.Module, options: DINOOptions | None = None) -> None:
        super().__init__()
        self.options = options or DINOOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.head = DINOHead(
            width,
            self.options.out_dim,
            hidden_dim=self.options.hidden_dim,
            bottleneck_dim=self.options.bottleneck_dim,
            num_layers=self.options.num_layers,
        )
        self.teacher_backbone, self.teacher_head = momentum_copy(backbone), momentum_copy(self.head)
        set_drop_path(self.teacher_backbone, 0.0)
        set_drop_path(backbone, self.options.drop_path)
        self.centring = Centring(self.options.out_dim, momentum=self.options.centre_momentum)
        self.teacher_temperature = self.options.warmup_teacher_temperature

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two global views and any number of local ones, each [B, C, h, w]."""
        check_views(views, self.name, least=NUM_GLOBAL)
        features_VBD = torch.stack(encode_by_size(self.backbone, views))
        student_VBK = self.head(features_VBD.flatten(0, 1)).unflatten(0, features_VBD.shape[:2])
        return self_distillation(
            student_VBK, self.targets(views[:NUM_GLOBAL]), temperature=self.options.student_temperature
        )

    @torch.no_grad()
    def targets(self, global_views: Sequence[Tensor]) -> Tensor:
        """Return what the teacher says of the global views: probabilities [T, B, K]."""
        features_TBD = torch.stack(encode_by_size(self.teacher_backbone, global_views))
        logits = self.teacher_head(features_TBD.flatten(0, 1))
        targets: Tensor = self.centring(logits, temperature=self.teacher_temperature)
        return torch.unflatten(targets, 0, features_TBD.shape[:2])

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return linear_lr(optimizer, batch_size, adamw=5e-4)

    @property
    def kept_backbone(self) -> nn.Module:
        """The teacher."""
        return self.teacher_backbone

    def before_step(self, progress: Progress) -> None:
        """Set the teacher's temperature."""
        self.teacher_temperature = warmed_up(
            progress,
            self.options.warmup_teacher_temperature,
            self.options.teacher_temperature,
            self.options.warmup_teacher_epochs,
        )

    def after_backward(self, progress: Progress) -> None:
        """Clip gradients, and hold the last layer in the first epochs."""
        clip_each(self.parameters(), self.options.clip_grad)
        frozen_at_first(self.head.last_layer, progress, self.options.freeze_last_layer_epochs)

    def after_step(self, progress: Progress) -> None:
        """Move the teacher."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        update_momentum(self.teacher_head, self.head, momentum)

    def weight_decay_factor(self, progress: Progress) -> float:
        """Return what the weight decay is multiplied by: from 1 to the option's."""
        return cosine_between(progress, 1.0, self.options.final_weight_decay_factor)
