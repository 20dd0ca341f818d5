"""VICReg: views agree, dimensions keep their variance and do not repeat each other.

Bardes, Ponce, LeCun: VICReg: Variance-Invariance-Covariance Regularization, 2021,
https://arxiv.org/abs/2105.04906.

Different here: SGD by default instead of LARS. The three 8192-wide layers of the projection head are the
paper's and more than 140 million weights: for small images and backbones take 2048.
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import vicreg
from sslcore.methods.method import Method
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["VICReg", "VICRegOptions"]


class VICRegOptions(StageConfig):
    """Settings of VICReg."""

    invariance: float = Field(default=25.0, ge=0)
    """Weight of the mean squared difference of the views (lambda)."""
    variance: float = Field(default=25.0, ge=0)
    """Weight of the shortfall of standard deviations below 1 (mu)."""
    covariance: float = Field(default=1.0, ge=0)
    """Weight of the squared covariances of different dimensions (nu)."""
    hidden_dim: int = Field(default=8192, ge=1)
    """Width of the two hidden layers of the projection head."""
    out_dim: int = Field(default=8192, ge=1)
    """Width of the projections."""
    num_layers: int = Field(default=3, ge=1)
    """Linear layers of the projection head."""


class VICReg(Method):
    """A backbone with a wide projection head.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = VICRegOptions
    name = "vicreg"
    summary = "invariance, variance, covariance; Bardes et al. 2021, https://arxiv.org/abs/2105.04906"
    views_name = "vicreg"

    def __init__(self, backbone: nn.Module, options: VICRegOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or VICRegOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(
            width, options.hidden_dim, options.out_dim, options.num_layers, out_norm="none", out_bias=False
        )

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W]."""
        check_views(views, self.name, least=2, most=2)
        z_a, z_b = (self.projection_head(self.backbone(view)) for view in views)
        return vicreg(
            z_a,
            z_b,
            invariance=self.options.invariance,
            variance=self.options.variance,
            covariance=self.options.covariance,
        )

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; the paper's is LARS 0.2 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.2)
