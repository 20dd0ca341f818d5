"""I-JEPA: from a large block of context say what a slower encoder makes of several small blocks.

Assran, Duval, Misra, Bojanowski, Vincent, Rabbat, LeCun, Ballas: Self-Supervised Learning from Images with a
Joint-Embedding Predictive Architecture, 2023, https://arxiv.org/abs/2301.08243.

Shapes: B images, N patches, K of context, T targets of M patches each, D width.

Different here: the backbone may have a CLS token, which the paper's has not: nothing trains it by itself,
the predictor does not see it, and features are the mean of the patch tokens. Masks differ in what
`sslcore.masks.context` says. The predictor's depth of 6 is the paper's for a ViT-B. The target encoder
is kept.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sslcore.backbones.tokens import require_tokens, token_backbone
from sslcore.config import StageConfig
from sslcore.heads.masked_decoder import MaskedDecoder
from sslcore.losses.latents import masked_latents
from sslcore.masks import context_and_targets
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.schedules import cosine_between, linear_lr
from sslcore.methods.view_count import check_views

__all__ = ["IJEPA", "IJEPAOptions"]


class IJEPAOptions(StageConfig):
    """Settings of I-JEPA."""

    predictor_dim: int = Field(default=384, ge=32, multiple_of=32)
    """Width of the predictor; a multiple of 32."""
    predictor_depth: int = Field(default=6, ge=1)
    """Blocks of the predictor; the paper's for a ViT-B, 12 for larger ones."""
    num_targets: int = Field(default=4, ge=1)
    """Blocks to predict in an image."""
    context_scale: tuple[float, float] = (0.85, 1.0)
    """Least and greatest share of the patches in the context, before targets are taken out of it."""
    target_scale: tuple[float, float] = (0.15, 0.2)
    """Least and greatest share of the patches in a target."""
    target_aspect: tuple[float, float] = (0.75, 1.5)
    """Least and greatest height over width of a target."""
    momentum: float = Field(default=0.996, ge=0, le=1)
    """Of the target encoder at the first step; it rises to 1 by half a cosine."""
    final_weight_decay_factor: float = Field(default=10.0, ge=0)
    """What the weight decay is multiplied by at the last step (0.04 to 0.4); half a cosine leads there."""


class IJEPA(Method):
    """A backbone with patch tokens, its moving average, and I-JEPA's predictor.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`; its ``pool`` becomes ``avg``.
        options: Settings; the defaults are the paper's.

    Raises:
        ConfigError: If the backbone gives no patch tokens.
    """

    Options: ClassVar[type[StageConfig]] = IJEPAOptions
    name = "ijepa"
    summary = "predict features of blocks from context; Assran et al. 2023, https://arxiv.org/abs/2301.08243"
    views_name = "ijepa"
    default_optimizer = "adamw"
    default_weight_decay = 0.04
    needs_tokens = True
    num_views = 1

    def __init__(self, backbone: nn.Module, options: IJEPAOptions | None = None) -> None:
        super().__init__()
        self.options = options or IJEPAOptions()
        tokens = require_tokens(backbone, f"method {self.name}")
        tokens.pool = "avg"
        self.backbone = backbone
        self.teacher_backbone = momentum_copy(backbone)
        self.predictor = MaskedDecoder(
            tokens.embed_dim,
            tokens.embed_dim,
            dim=self.options.predictor_dim,
            depth=self.options.predictor_depth,
        )

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of one view, [B, C, H, W]."""
        (images,) = check_views(views, self.name, least=1, most=1)
        backbone = token_backbone(self.backbone)
        grid = (images.shape[2] // backbone.patch_size, images.shape[3] // backbone.patch_size)
        context_BK, targets_BTM = self._masks(images, grid)
        context = backbone.forward_tokens(images, keep=context_BK)[:, backbone.num_prefix_tokens :]
        predictions_BTMD = self.predictor(context, context_BK, targets_BTM, grid)
        return masked_latents(predictions_BTMD, self.targets(images, targets_BTM))

    def _masks(self, images: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        context, targets = context_and_targets(
            len(images),
            grid,
            num_targets=self.options.num_targets,
            context_scale=self.options.context_scale,
            target_scale=self.options.target_scale,
            target_aspect=self.options.target_aspect,
        )
        return (
            context.to(images.device, non_blocking=True),
            targets.to(images.device, non_blocking=True),
        )

    @torch.no_grad()
    def targets(self, images: Tensor, targets_BTM: Tensor) -> Tensor:
        """Return the target encoder's normalized features of the targets in the whole image: [B, T, M, D]."""
        teacher = token_backbone(self.teacher_backbone)
        tokens = teacher.forward_tokens(images)[:, teacher.num_prefix_tokens :]
        tokens = functional.layer_norm(tokens, tokens.shape[-1:])
        places = targets_BTM.flatten(1)[..., None].expand(-1, -1, tokens.shape[2])
        return torch.unflatten(tokens.gather(1, places), 1, targets_BTM.shape[1:])

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; for AdamW the paper's 0.001 at 2048."""
        return linear_lr(optimizer, batch_size, adamw=1.25e-4)

    @property
    def kept_backbone(self) -> nn.Module:
        """The target encoder."""
        return self.teacher_backbone

    def after_step(self, progress: Progress) -> None:
        """Move the target encoder."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)

    def weight_decay_factor(self, progress: Progress) -> float:
        """Return what the weight decay is multiplied by: from 1 to the option's."""
        return cosine_between(progress, 1.0, self.options.final_weight_decay_factor)
