"""MAE: most patches are hidden, and a small decoder draws them from the rest.

He, Chen, Xie, Li, Dollar, Girshick: Masked Autoencoders Are Scalable Vision Learners, 2021,
https://arxiv.org/abs/2111.06377.

Shapes: B images, N patches, K seen ones, P pixel values in a patch.

Hidden patches are not encoded, and seen ones not drawn. Different here: features are the mean of the patch
tokens, since nothing trains the CLS token by itself (the paper finds both alike). The decoder's defaults are
the paper's, for a ViT-L at 224 pixels; for a tiny one at 32 pixels a width of 192 and a depth of 2 do.
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from sslcore.backbones.tokens import require_tokens, token_backbone
from sslcore.config import StageConfig
from sslcore.heads.masked_decoder import MaskedDecoder
from sslcore.losses.pixels import masked_mse, patchify
from sslcore.masks import random_masks
from sslcore.methods.method import Method
from sslcore.methods.schedules import linear_lr
from sslcore.methods.view_count import check_views

__all__ = ["MAE", "MAEOptions"]


class MAEOptions(StageConfig):
    """Settings of MAE."""

    mask_ratio: float = Field(default=0.75, gt=0, lt=1)
    """Share of patches that is hidden."""
    decoder_dim: int = Field(default=512, ge=32, multiple_of=32)
    """Width of the decoder; a multiple of 32."""
    decoder_depth: int = Field(default=8, ge=1)
    """Blocks of the decoder."""
    normalize_pixels: bool = True
    """Whether each patch is brought to mean 0 and variance 1 before it is to be drawn."""


class MAE(Method):
    """A backbone with patch tokens and MAE's decoder.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`; its ``pool`` becomes ``avg``.
        options: Settings; the defaults are the paper's.

    Raises:
        ConfigError: If the backbone gives no patch tokens.
    """

    Options: ClassVar[type[StageConfig]] = MAEOptions
    name = "mae"
    summary = "draw hidden patches from a few seen ones; He et al. 2021, https://arxiv.org/abs/2111.06377"
    views_name = "mae"
    default_optimizer = "adamw"
    default_weight_decay = 0.05
    needs_tokens = True
    num_views = 1

    def __init__(self, backbone: nn.Module, options: MAEOptions | None = None) -> None:
        super().__init__()
        self.options = options or MAEOptions()
        tokens = require_tokens(backbone, f"method {self.name}")
        tokens.pool = "avg"
        self.backbone = backbone
        self.decoder = MaskedDecoder(
            tokens.embed_dim,
            tokens.patch_size**2 * tokens.num_channels,
            dim=self.options.decoder_dim,
            depth=self.options.decoder_depth,
        )

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of one view, [B, C, H, W]."""
        (images,) = check_views(views, self.name, least=1, most=1)
        backbone = token_backbone(self.backbone)
        pixels_BNP = patchify(images, backbone.patch_size)
        num_patches = pixels_BNP.shape[1]
        masks = random_masks(
            len(images), num_patches, mask_ratio=self.options.mask_ratio, device=images.device
        )
        tokens = backbone.forward_tokens(images, keep=masks.keep)
        grid = (images.shape[2] // backbone.patch_size, images.shape[3] // backbone.patch_size)
        drawn = self.decoder(tokens, masks.keep, masks.masked[:, None], grid)[:, 0]
        hidden = pixels_BNP.gather(1, masks.masked[..., None].expand(-1, -1, pixels_BNP.shape[2]))
        return masked_mse(drawn, hidden, normalize=self.options.normalize_pixels)

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return linear_lr(optimizer, batch_size, adamw=1.5e-4)
