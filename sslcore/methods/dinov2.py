"""DINOv2: iBOT with Sinkhorn-Knopp in place of centring, heads apart, and features spread out by KoLeo.

Oquab et al.: DINOv2: Learning Robust Visual Features without Supervision, 2023,
https://arxiv.org/abs/2304.07193.

Different here, beside what iBOT's file says: ``out_dim`` is the published short recipe's 65536, made for a
million images and more; small data sets do with 1024 to 8192. LayerScale, registers and learnt positions
belong to the backbone (``vit-small-14-reg4-ls``). KoLeo looks for neighbours within the batch of one process,
as published. No layer-wise decay of the learning rate is set here; that is the optimizer's. The teacher is
kept.
"""

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from sslcore.config import StageConfig
from sslcore.losses.koleo import koleo
from sslcore.losses.sinkhorn import sinkhorn
from sslcore.methods.ibot import IBOT, IBOTOptions
from sslcore.methods.schedules import linear_lr

__all__ = ["DINOv2", "DINOv2Options"]


class DINOv2Options(IBOTOptions):
    """Settings of DINOv2; those of iBOT and a few more."""

    out_dim: int = Field(default=65536, ge=2)
    """Outputs of each head; small data sets do with 1024 to 8192."""
    separate_heads: bool = True
    """Whether patches have a head of their own instead of the CLS token's."""
    koleo_weight: float = Field(default=0.1, ge=0)
    """Factor on KoLeo, which is summed over the global views."""
    sinkhorn_iterations: int = Field(default=3, ge=0)
    """How often targets are evened out over outputs; 0 centres them as iBOT does."""
    momentum: float = Field(default=0.992, ge=0, le=1)
    """Of the teacher at the first step; it rises to 1 by half a cosine."""
    drop_path: float = Field(default=0.3, ge=0, lt=1)
    """Chance that the student's last block is skipped for an image; 0.3 is for a large one."""


class DINOv2(IBOT):
    """A backbone with patch tokens, DINOv2's heads, their moving averages, and three losses.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`.
        options: Settings; the defaults are the paper's short recipe.
    """

    Options: ClassVar[type[StageConfig]] = DINOv2Options
    name = "dinov2"
    summary = "iBOT with Sinkhorn and KoLeo; Oquab et al. 2023, https://arxiv.org/abs/2304.07193"
    views_name = "dinov2"
    num_local_views = 8
    options: DINOv2Options

    def regularizer(self, cls_TBD: Tensor) -> Tensor | float:
        """Return KoLeo of the student's CLS tokens, summed over the global views."""
        if self.options.koleo_weight == 0:
            return 0.0
        return self.options.koleo_weight * torch.stack([koleo(view) for view in cls_TBD]).sum()

    def sharpen(self, cls_logits: Tensor, patch_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Turn the teacher's logits into probabilities that use all outputs alike."""
        if self.options.sinkhorn_iterations == 0:
            return super().sharpen(cls_logits, patch_logits)
        cls_targets, patch_targets = (
            sinkhorn(
                each,
                temperature=self.teacher_temperature,
                num_iterations=self.options.sinkhorn_iterations,
            )
            for each in (cls_logits, patch_logits)
        )
        return cls_targets, patch_targets

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size: for AdamW 0.004 * sqrt(batch size / 1024)."""
        if optimizer == "adamw":
            return 4e-3 * math.sqrt(batch_size / 1024)
        return linear_lr(optimizer, batch_size, adamw=0.0)
