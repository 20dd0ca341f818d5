"""VICRegL: VICReg for whole images and, a quarter of the loss, for matching places of the feature maps.

Bardes, Ponce, LeCun: VICRegL: Self-Supervised Learning of Local Visual Features, 2022,
https://arxiv.org/abs/2210.01571. Places match by where they lie in the image, which the views must know
(`ViewList.boxes`), and by how similar their projections are. For detection and segmentation.

Different here: how many matches are kept depends on the view a match starts from, ``num_matches`` for
full-size and ``num_small_matches`` for smaller ones (the authors' code tells the two of a pair apart by
their order).
"""

from collections.abc import Sequence
from itertools import product
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sslcore.backbones.feature_map import feature_map
from sslcore.config import StageConfig
from sslcore.errors import ConfigError
from sslcore.heads import ProjectionHead
from sslcore.losses import vicregl_local
from sslcore.losses.matching import position_centres
from sslcore.losses.vicreg import covariance_term, variance_term
from sslcore.methods.method import Method
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["VICRegL", "VICRegLOptions"]


class VICRegLOptions(StageConfig):
    """Settings of VICRegL."""

    global_weight: float = Field(default=0.75, ge=0, le=1)
    """Share of the loss of whole images; the rest is that of places (alpha)."""
    num_matches: int = Field(default=20, ge=1)
    """Matches kept that start from a full-size view: 20 of its 49 places at 224 pixels."""
    num_small_matches: int = Field(default=4, ge=1)
    """Matches kept that start from a smaller view."""
    invariance: float = Field(default=25.0, ge=0)
    """Weight of the mean squared difference (lambda)."""
    variance: float = Field(default=25.0, ge=0)
    """Weight of the shortfall of standard deviations below 1 (mu)."""
    covariance: float = Field(default=1.0, ge=0)
    """Weight of the squared covariances of different dimensions (nu)."""
    hidden_dim: int = Field(default=8192, ge=1)
    """Width of the two hidden layers of the head for whole images."""
    out_dim: int = Field(default=8192, ge=1)
    """Width of the projections of whole images."""
    local_dim: int = Field(default=512, ge=1)
    """Width of all layers of the head for places."""


class VICRegL(Method):
    """A convolutional backbone with a global and a local head.

    Args:
        backbone: One that `sslcore.backbones.feature_map` takes, with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's for ResNet-50.
    """

    Options: ClassVar[type[StageConfig]] = VICRegLOptions
    name = "vicregl"
    summary = "VICReg for images and for places; Bardes et al. 2022, https://arxiv.org/abs/2210.01571"
    views_name = "vicregl"

    def __init__(self, backbone: nn.Module, options: VICRegLOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or VICRegLOptions()
        width, local = int(backbone.embed_dim), options.local_dim  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(
            width, options.hidden_dim, options.out_dim, 3, out_norm="none", out_bias=False
        )
        self.local_head = ProjectionHead(width, local, local, 3, out_norm="none", out_bias=False)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two full-size views, each [B, C, H, W], and of smaller ones after them, if any.

        Args:
            views: A `ViewList` that knows its boxes.

        Raises:
            ConfigError: If the views do not know where they were cut out.
        """
        check_views(views, self.name, least=2)
        boxes = getattr(views, "boxes", [])
        if len(boxes) != len(views):
            raise ConfigError(
                f"{self.name} must know where views were cut out, which these do not tell: "
                "choose pretrain.views: vicregl"
            )
        maps = [feature_map(self.backbone, view) for view in views]
        z = [self.projection_head(each.mean(dim=(2, 3))) for each in maps]
        local = [self._project_places(each) for each in maps]
        places = [position_centres(box, *each.shape[2:]) for box, each in zip(boxes, maps, strict=True)]
        pairs = [(i, j) for i, j in product(range(2), range(len(views))) if i != j]
        weight = self.options.global_weight
        return weight * self._of_images(z, pairs) + (1 - weight) * self._of_places(local, places, pairs)

    def _project_places(self, features: Tensor) -> Tensor:
        by_place = features.flatten(2).mT
        projected: Tensor = self.local_head(by_place.flatten(0, 1))
        return projected.reshape(*by_place.shape[:2], -1)

    def _of_images(self, z: list[Tensor], pairs: list[tuple[int, int]]) -> Tensor:
        agreement = torch.stack([functional.mse_loss(z[i].float(), z[j].float()) for i, j in pairs]).mean()
        spread = torch.stack([variance_term(each) for each in z]).mean()
        redundancy = torch.stack([covariance_term(each) for each in z]).mean()
        options = self.options
        return options.invariance * agreement + options.variance * spread + options.covariance * redundancy

    def _of_places(self, z: list[Tensor], places: list[Tensor], pairs: list[tuple[int, int]]) -> Tensor:
        kept = [self.options.num_matches] * 2 + [self.options.num_small_matches] * (len(z) - 2)
        losses = [
            vicregl_local(
                z[i],
                z[j],
                places[i],
                places[j],
                num_matches=(kept[i], kept[j]),
                invariance=self.options.invariance,
                variance=self.options.variance,
                covariance=self.options.covariance,
            )
            for i, j in pairs
        ]
        return torch.stack(losses).mean()

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; the paper's is LARS 0.2 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.2)
