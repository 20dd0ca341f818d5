"""What methods that look at parts of an image (iBOT, MAE, I-JEPA ...) ask of a backbone: patch tokens."""

from typing import Literal, Protocol, cast

from torch import Tensor, nn

from sslcore.errors import ConfigError

__all__ = ["TokenBackbone", "mean_of_patches", "require_tokens", "token_backbone"]

_MEMBERS = (
    "embed_dim",
    "patch_size",
    "num_channels",
    "num_prefix_tokens",
    "pool",
    "forward_tokens",
    "add_mask_token",
)


class TokenBackbone(Protocol):
    """A backbone that also gives a token per patch; `sslcore.backbones.vit.VisionTransformer` is one.

    N is the number of patches of an image, row by row: H / patch_size rows of W / patch_size.

    Attributes:
        embed_dim: Width D of features and tokens.
        patch_size: Side of a patch in pixels.
        num_channels: Of the images.
        num_prefix_tokens: Tokens before those of the patches: CLS first, then registers.
        pool: What ``forward`` returns: ``token`` the CLS token, ``avg`` the mean of the patch tokens. A
            method that trains no CLS token sets ``avg``, and it is saved with the backbone.
    """

    embed_dim: int
    patch_size: int
    num_channels: int
    num_prefix_tokens: int
    pool: Literal["token", "avg"]

    def __call__(self, images: Tensor) -> Tensor:
        """As forward."""

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to features [B, D], after the last norm."""

    def forward_tokens(
        self, images: Tensor, *, mask: Tensor | None = None, keep: Tensor | None = None
    ) -> Tensor:
        """Map images [B, C, H, W] to tokens [B, num_prefix_tokens + N, D], after the last norm.

        Args:
            images: The batch; H and W multiples of the patch size, of any size.
            mask: bool [B, N]; True puts the mask token in the place of a patch before the first block.
            keep: int64 [B, K]; only these patches are encoded, in this order, so K takes the place of N.
        """

    def add_mask_token(self) -> None:
        """Make the learnt token that ``mask`` puts in; training's, not saved with the backbone."""


def token_backbone(backbone: nn.Module) -> TokenBackbone:
    """See a module that require_tokens let pass as what it is."""
    return cast(TokenBackbone, backbone)


def require_tokens(backbone: nn.Module, what: str) -> TokenBackbone:
    """Return the backbone if it gives patch tokens.

    Args:
        backbone: A network.
        what: Needs them, for the message.

    Raises:
        ConfigError: If it does not.
    """
    if all(hasattr(backbone, member) for member in _MEMBERS):
        return token_backbone(backbone)
    raise ConfigError(
        f"{what} needs a backbone with patch tokens, and {type(backbone).__name__} has none: "
        "take vit-tiny-PATCH, vit-small-PATCH or vit-base-PATCH, for example vit-tiny-4 for 32 pixels"
    )


def mean_of_patches(tokens: Tensor, num_prefix_tokens: int) -> Tensor:
    """Average the patch tokens of [B, P + N, D]: [B, D]."""
    return tokens[:, num_prefix_tokens:].mean(dim=1)
