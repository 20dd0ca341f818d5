"""SimMIM: squares of an image are hidden, and one linear layer on the backbone says their pixels.

Xie, Zhang, Cao, Lin, Bao, Yao, Dai, Hu: SimMIM: a Simple Framework for Masked Image Modeling, 2021,
https://arxiv.org/abs/2111.09886.

Shapes: B images, N patches, M hidden ones, P pixel values in a patch.

Different here: features are the mean of the patch tokens, which is what is trained. Hidden squares of 32
pixels are for images of 192 to 224; elsewhere they are in proportion unless ``mask_size`` says otherwise.
"""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from sslcore.backbones.tokens import require_tokens, token_backbone
from sslcore.backbones.transformer import initialize_linear
from sslcore.config import StageConfig
from sslcore.errors import ConfigError
from sslcore.losses.pixels import masked_l1, patchify
from sslcore.masks import square_masks
from sslcore.methods.method import Method
from sslcore.methods.schedules import linear_lr, set_drop_path
from sslcore.methods.view_count import check_views

__all__ = ["SimMIM", "SimMIMOptions"]


class SimMIMOptions(StageConfig):
    """Settings of SimMIM."""

    mask_ratio: float = Field(default=0.6, gt=0, lt=1)
    """Share of squares that is hidden."""
    mask_size: int | None = Field(default=None, ge=1)
    """Side of a hidden square in pixels; null is a seventh of the image's, 32 at 224, in whole patches."""
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Chance that the last block is skipped for an image; less in the blocks before."""


class SimMIM(Method):
    """A backbone with patch tokens and SimMIM's linear layer.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`; its ``pool`` becomes ``avg``.
        options: Settings; the defaults are the paper's.

    Raises:
        ConfigError: If the backbone gives no patch tokens.
    """

    Options: ClassVar[type[StageConfig]] = SimMIMOptions
    name = "simmim"
    summary = "say the pixels of hidden squares; Xie et al. 2021, https://arxiv.org/abs/2111.09886"
    views_name = "simmim"
    default_optimizer = "adamw"
    default_weight_decay = 0.05
    needs_tokens = True
    num_views = 1

    def __init__(self, backbone: nn.Module, options: SimMIMOptions | None = None) -> None:
        super().__init__()
        self.options = options or SimMIMOptions()
        tokens = require_tokens(backbone, f"method {self.name}")
        tokens.add_mask_token()
        tokens.pool = "avg"
        self.backbone = backbone
        set_drop_path(backbone, self.options.drop_path)
        self.head = nn.Linear(tokens.embed_dim, tokens.patch_size**2 * tokens.num_channels)
        self.head.apply(initialize_linear)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of one view, [B, C, H, W]."""
        (images,) = check_views(views, self.name, least=1, most=1)
        backbone = token_backbone(self.backbone)
        grid = (images.shape[2] // backbone.patch_size, images.shape[3] // backbone.patch_size)
        masks = square_masks(
            len(images),
            grid,
            side=self._square(grid, backbone.patch_size),
            mask_ratio=self.options.mask_ratio,
            device=images.device,
        )
        tokens = backbone.forward_tokens(images, mask=masks.mask)[:, backbone.num_prefix_tokens :]
        pixels = patchify(images, backbone.patch_size)
        return masked_l1(self.head(_pick(tokens, masks.masked)), _pick(pixels, masks.masked))

    def _square(self, grid: tuple[int, int], patch_size: int) -> int:
        """Return the side of a hidden square in patches: the option's, or about a seventh of the grid."""
        if self.options.mask_size is None:
            side = max(1, round(min(grid) / 7))
            return next(each for each in range(side, 0, -1) if grid[0] % each == 0 and grid[1] % each == 0)
        if self.options.mask_size % patch_size:
            raise ConfigError(
                f"mask_size must be a multiple of the patch size {patch_size}, got {self.options.mask_size}"
            )
        return self.options.mask_size // patch_size

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; for AdamW the paper's 8e-4 at 2048."""
        return linear_lr(optimizer, batch_size, adamw=1e-4)


def _pick(tokens: Tensor, places: Tensor) -> Tensor:
    """Pick places [B, M] of [B, N, D]: [B, M, D]."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[2]))
