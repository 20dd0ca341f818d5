"""DCL and DCLW: SimCLR whose positive pair is left out of the denominator.

Yeh, Hong, Hsu, Liu, Chen, LeCun: Decoupled Contrastive Learning, 2022, https://arxiv.org/abs/2110.06848.
What a pair that agrees already takes away from the gradient in SimCLR it takes away no more, so that small
batches learn nearly as fast as large ones. DCLW weighs pairs that disagree more.

Different here: learning rates are SimCLR's; the weights of DCLW pass no gradient on.
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import dcl
from sslcore.methods.method import Method
from sslcore.methods.simclr import simclr_lr
from sslcore.methods.view_count import check_views

__all__ = ["DCL", "DCLW", "DCLOptions", "DCLWOptions"]


class DCLOptions(StageConfig):
    """Settings of DCL."""

    temperature: float = Field(default=0.1, gt=0)
    """Divides the similarities; the paper takes 0.1 on ImageNet and 0.07 on CIFAR-10."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the hidden layer of the projection head."""
    out_dim: int = Field(default=128, ge=1)
    """Width of the projections."""
    num_layers: int = Field(default=2, ge=1)
    """Linear layers of the projection head."""


class DCLWOptions(DCLOptions):
    """Settings of DCLW."""

    sigma: float = Field(default=0.5, gt=0)
    """Width of the weights: the smaller, the more the pairs that disagree weigh."""


class DCL(Method):
    """A backbone with SimCLR's projection head and the decoupled loss.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = DCLOptions
    name = "dcl"
    summary = "SimCLR without the pair in the denominator; Yeh et al. 2022, https://arxiv.org/abs/2110.06848"
    views_name = "simclr"
    sigma: float | None = None

    def __init__(self, backbone: nn.Module, options: DCLOptions | None = None) -> None:
        super().__init__()
        options = options or DCLOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, options.hidden_dim, options.out_dim, options.num_layers)
        self.temperature = options.temperature

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W]."""
        check_views(views, self.name, least=2, most=2)
        z_a, z_b = (self.projection_head(self.backbone(view)) for view in views)
        return dcl(z_a, z_b, temperature=self.temperature, sigma=self.sigma)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return simclr_lr(optimizer, batch_size)


class DCLW(DCL):
    """DCL with weighted pairs.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = DCLWOptions
    name = "dclw"
    summary = "DCL that weighs pairs that disagree more; Yeh et al. 2022, https://arxiv.org/abs/2110.06848"

    def __init__(self, backbone: nn.Module, options: DCLWOptions | None = None) -> None:
        options = options or DCLWOptions()
        super().__init__(backbone, options)
        self.sigma = options.sigma
