"""LeJEPA: views of an image agree, and projections are held to a standard normal; no teacher, no schedule.

Balestriero, LeCun: LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics, 2025,
https://arxiv.org/abs/2511.08544.

Shapes: V views, B images, D width of the projections.

Any backbone works. Different here: the integral of SIGReg goes to 3 with half the knots' work, as in the
authors' later code. With several processes its statistics are those of all of them.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses.lejepa import lejepa
from sslcore.methods.method import Method
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.schedules import linear_lr, set_drop_path
from sslcore.methods.view_count import check_views

__all__ = ["LeJEPA", "LeJEPAOptions"]


class LeJEPAOptions(StageConfig):
    """Settings of LeJEPA."""

    sigreg_weight: float = Field(default=0.05, ge=0, le=1)
    """Share of SIGReg in the loss (lambda); the rest is how far views are from their centre."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the projection head's two hidden layers."""
    out_dim: int = Field(default=64, ge=1)
    """Width of the projections."""
    num_slices: int = Field(default=1024, ge=1)
    """Random directions in which normality is tested at a step."""
    num_knots: int = Field(default=17, ge=2)
    """Points of the test's integral."""
    t_max: float = Field(default=3.0, gt=0)
    """End of the test's integral."""
    num_global: int | None = Field(default=None, ge=1)
    """Views, the first ones, whose mean is the centre; null is all that are as large as the first."""
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Chance that the last block is skipped for an image; less in the blocks before."""


class LeJEPA(Method):
    """A backbone with LeJEPA's projection head and loss.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = LeJEPAOptions
    name = "lejepa"
    summary = "views agree, projections are normal; Balestriero, LeCun 2025, https://arxiv.org/abs/2511.08544"
    views_name = "lejepa"
    default_optimizer = "adamw"
    default_weight_decay = 0.05
    num_local_views = 6

    def __init__(self, backbone: nn.Module, options: LeJEPAOptions | None = None) -> None:
        super().__init__()
        self.options = options or LeJEPAOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        set_drop_path(backbone, self.options.drop_path)
        self.projection_head = ProjectionHead(
            width, self.options.hidden_dim, self.options.out_dim, 3, out_norm="none"
        )

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two or more views, the global ones first, each [B, C, h, w]."""
        check_views(views, self.name, least=max(2, self.options.num_global or 0))
        largest = sum(each.shape == views[0].shape for each in views)
        features_VBD = torch.stack(encode_by_size(self.backbone, views))
        z_VBD = self.projection_head(features_VBD.flatten(0, 1)).unflatten(0, features_VBD.shape[:2])
        return lejepa(
            z_VBD,
            num_global=self.options.num_global or largest,
            sigreg_weight=self.options.sigreg_weight,
            num_slices=self.options.num_slices,
            num_knots=self.options.num_knots,
            t_max=self.options.t_max,
        )

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; for AdamW the paper's 5e-4, taken to be for 256."""
        return linear_lr(optimizer, batch_size, adamw=5e-4)
