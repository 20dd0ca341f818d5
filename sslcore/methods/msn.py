"""MSN: a masked view and small crops are assigned to the prototypes of a whole view.

Assran, Caron, Misra, Bojanowski, Bordes, Vincent, Joulin, Rabbat, Ballas: Masked Siamese Networks for
Label-Efficient Learning, 2022, https://arxiv.org/abs/2204.07141.

Shapes: A anchor views, B images, K prototypes, N patches, D width.

The first view is the target's, the second is masked, those after it are the small ("focal") crops. Hidden
patches are not encoded. The teacher is kept, as in the paper.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.backbones.tokens import require_tokens, token_backbone
from sslcore.config import StageConfig
from sslcore.heads.dino import GELUHead
from sslcore.losses.prototype_matching import prototype_matching
from sslcore.masks import random_masks
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.schedules import clip_each, cosine_between, linear_lr, set_drop_path
from sslcore.methods.view_count import check_views

__all__ = ["MSN", "MSNOptions"]


class MSNOptions(StageConfig):
    """Settings of MSN."""

    num_prototypes: int = Field(default=1024, ge=2)
    """Prototypes that views are assigned to."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the head's hidden layers."""
    out_dim: int = Field(default=256, ge=1)
    """Width of the projections and of the prototypes."""
    temperature: float = Field(default=0.1, gt=0)
    """Divides the anchors' similarities."""
    sharpening: float = Field(default=0.25, gt=0)
    """The targets' temperature over the anchors'."""
    mask_ratio: float = Field(default=0.15, ge=0, lt=1)
    """Share of patches of the second view that is hidden; the paper's for a small ViT; 0.7 is for a large."""
    regularization: float = Field(default=1.0, ge=0)
    """Factor on the term that keeps all prototypes in use."""
    sinkhorn_iterations: int = Field(default=3, ge=0)
    """How often targets are evened out over prototypes; 0 for never."""
    momentum: float = Field(default=0.996, ge=0, le=1)
    """Of the teacher at the first step; it rises to 1 by half a cosine."""
    final_weight_decay_factor: float = Field(default=10.0, ge=0)
    """What the weight decay is multiplied by at the last step (0.04 to 0.4); half a cosine leads there."""
    clip_grad: float = Field(default=3.0, ge=0)
    """Greatest length of each parameter's gradient; 0 clips none."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Chance that the student's last block is skipped for an image; less in the blocks before."""


class MSN(Method):
    """A backbone with patch tokens, MSN's head, their moving averages, and prototypes.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`.
        options: Settings; the defaults are the paper's for a small ViT.

    Raises:
        ConfigError: If the backbone gives no patch tokens.
    """

    Options: ClassVar[type[StageConfig]] = MSNOptions
    name = "msn"
    summary = (
        "masked views match a whole one's prototypes; Assran et al. 2022, https://arxiv.org/abs/2204.07141"
    )
    views_name = "msn"
    default_optimizer = "adamw"
    default_weight_decay = 0.04
    needs_tokens = True
    num_local_views = 10

    def __init__(self, backbone: nn.Module, options: MSNOptions | None = None) -> None:
        super().__init__()
        self.options: MSNOptions = options or self.Options()  # type: ignore[assignment]
        tokens = require_tokens(backbone, f"method {self.name}")
        tokens.pool = "token"
        self.backbone = backbone
        self.head = GELUHead(
            tokens.embed_dim, self.options.hidden_dim, self.options.out_dim, hidden_norm=True
        )
        self.prototypes = nn.Parameter(
            torch.randn(self.options.num_prototypes, self.options.out_dim) * self.options.out_dim**-0.5
        )
        self.teacher_backbone, self.teacher_head = momentum_copy(backbone), momentum_copy(self.head)
        set_drop_path(self.teacher_backbone, 0.0)
        set_drop_path(backbone, self.options.drop_path)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two views and any number of small ones, each [B, C, h, w]."""
        check_views(views, self.name, least=2)
        features_ABD = self._masked_features(views[1])[None]
        if len(views) > 2:
            features_ABD = torch.cat((features_ABD, torch.stack(encode_by_size(self.backbone, views[2:]))))
        anchors = self.head(features_ABD.flatten(0, 1)).unflatten(0, features_ABD.shape[:2])
        with torch.no_grad():
            targets = self.teacher_head(self.teacher_backbone(views[0]))
        return prototype_matching(
            anchors,
            targets,
            self.prototypes,
            temperature=self.options.temperature,
            target_temperature=self.options.temperature * self.options.sharpening,
            prior=self.prior(),
            regularization=self.options.regularization,
            sinkhorn_iterations=self.options.sinkhorn_iterations,
        )

    def _masked_features(self, view: Tensor) -> Tensor:
        backbone = token_backbone(self.backbone)
        num_patches = view.shape[2] * view.shape[3] // backbone.patch_size**2
        keep = random_masks(
            len(view), num_patches, mask_ratio=self.options.mask_ratio, device=view.device
        ).keep
        return backbone.forward_tokens(view, keep=keep)[:, 0]

    def prior(self) -> Tensor | None:
        """Return how often each prototype should be used, [K]; None is equally often."""
        return None

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; for AdamW the paper's 0.001 at 1024."""
        return linear_lr(optimizer, batch_size, adamw=2.5e-4)

    @property
    def kept_backbone(self) -> nn.Module:
        """The teacher."""
        return self.teacher_backbone

    def after_backward(self, progress: Progress) -> None:
        """Clip gradients."""
        clip_each(self.parameters(), self.options.clip_grad)

    def after_step(self, progress: Progress) -> None:
        """Move the teacher."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        update_momentum(self.teacher_head, self.head, momentum)

    def weight_decay_factor(self, progress: Progress) -> float:
        """Return what the weight decay is multiplied by: from 1 to the option's."""
        return cosine_between(progress, 1.0, self.options.final_weight_decay_factor)
