"""DINO: a student says of every crop what a slower teacher says of the large ones.

Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin: Emerging Properties in Self-Supervised Vision
Transformers, 2021, https://arxiv.org/abs/2104.14294.

Shapes: V views, T of them global, B images, K outputs of the head.

Different here: warm-ups are at most three tenths of a short run; the last layer is normalized where it is
used instead of stored as length and direction. ``out_dim`` is the paper's 65536, made for a million images;
for tens of thousands 1024 to 8192 learn as well and far faster. Any backbone works; drop path needs one of
`sslcore.backbones.vit`. The teacher is kept, as in the paper.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads.dino import DINOHead
from sslcore.losses.centring import Centring
from sslcore.losses.self_distillation import self_distillation
from sslcore.methods.distillation import SelfDistillation, SelfDistillationOptions
from sslcore.methods.momentum import momentum_copy
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.schedules import set_drop_path
from sslcore.methods.view_count import check_views

__all__ = ["DINO", "DINOOptions"]

NUM_GLOBAL = 2


class DINOOptions(SelfDistillationOptions):
    """Settings of DINO; those that others share with it, and two more."""

    out_dim: int = Field(default=65536, ge=2)
    """Outputs of the head; the paper's 65536 are for ImageNet, small data sets do with 1024 to 8192."""
    num_layers: int = Field(default=3, ge=1)
    """Linear layers of the head before its last."""


class DINO(SelfDistillation):
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
    num_local_views = 6

    def __init__(self, backbone: nn.Module, options: DINOOptions | None = None) -> None:
        super().__init__()
        self.options: DINOOptions = options or DINOOptions()
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

    def heads_and_teachers(self) -> Iterable[tuple[nn.Module, nn.Module]]:
        """Return the head and its moving average."""
        return [(self.head, self.teacher_head)]
