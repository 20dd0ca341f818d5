"""SimCLR: two views of an image attract, all other images of the batch repel.

Chen, Kornblith, Norouzi, Hinton: A Simple Framework for Contrastive Learning of Visual Representations, 2020,
https://arxiv.org/abs/2002.05709.

Different here: SGD with momentum instead of LARS by default, which pays at batches of thousands. With SGD the
learning rate is 0.03 * sqrt(batch size): the paper's square-root rule (appendix B.1), whose factor 0.075 is
for LARS; with AdamW it is 0.001 * sqrt(batch size / 256).
"""

from collections.abc import Sequence
from math import sqrt
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from sslcore.config import StageConfig
from sslcore.heads import ProjectionHead
from sslcore.losses import nt_xent
from sslcore.methods.method import Method
from sslcore.methods.view_count import check_views

__all__ = ["SimCLR", "SimCLROptions", "simclr_lr"]


def simclr_lr(optimizer: str, batch_size: int) -> float:
    """Return the peak learning rate by SimCLR's square-root rule."""
    factors = {"sgd": 0.03, "lars": 0.075}
    return factors.get(optimizer, 1e-3 / 16) * sqrt(batch_size)


class SimCLROptions(StageConfig):
    """Settings of SimCLR."""

    temperature: float = Field(default=0.5, gt=0)
    """Divides the similarities; the paper takes 0.1 at large batches and 0.5 for CIFAR-10 at small ones."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the hidden layer of the projection head."""
    out_dim: int = Field(default=128, ge=1)
    """Width of the projections."""
    num_layers: int = Field(default=2, ge=1)
    """Linear layers of the projection head."""


class SimCLR(Method):
    """A backbone with SimCLR's projection head and loss.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = SimCLROptions
    name = "simclr"
    summary = "two views attract, other images repel; Chen et al. 2020, https://arxiv.org/abs/2002.05709"
    views_name = "simclr"

    def __init__(self, backbone: nn.Module, options: SimCLROptions | None = None) -> None:
        super().__init__()
        options = options or SimCLROptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, options.hidden_dim, options.out_dim, options.num_layers)
        self.temperature = options.temperature

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views, each [B, C, H, W]."""
        check_views(views, self.name, least=2, most=2)
        z_a, z_b = (self.projection_head(self.backbone(view)) for view in views)
        return nt_xent(z_a, z_b, temperature=self.temperature)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return simclr_lr(optimizer, batch_size)
