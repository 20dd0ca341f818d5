"""Vision transformers: plain PyTorch, any patch and image size, masks, and the parameter names of timm.

Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929; sizes tiny and small from Touvron et al. 2021
(DeiT), https://arxiv.org/abs/2012.12877; registers from Darcet et al. 2024, https://arxiv.org/abs/2309.16588.

Different here: no position is added to the CLS token and the registers, which are learnt anyway; and
positions are fixed sines and cosines unless ``learnt``, as in MoCo v3, MAE and I-JEPA.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sslcore.backbones.positions import resize_positions, sincos_positions
from sslcore.backbones.transformer import EPSILON, TransformerBlock, initialize_linear
from sslcore.errors import ConfigError

__all__ = ["TIMM_VIT", "VIT_BACKBONES", "VisionTransformer", "vit_kwargs"]

TIMM_VIT = "timm.models.vision_transformer.VisionTransformer"
"""The class that `VisionTransformer.timm_kwargs` is for, and whose state_dict ours fits."""

_SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}
_NAME = re.compile(r"vit-(tiny|small|base)-(\d+)((?:-(?:learnt|ls|reg\d+))*)")
_SOURCE = "Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929"
_FREE = "any patch size; -learnt positions, -regN registers, -ls LayerScale"
VIT_BACKBONES: Mapping[str, str] = {
    "vit-tiny-4": f"5.4M, patches of 4 for 32 pixels; {_FREE}; {_SOURCE}",
    "vit-tiny-16": f"5.5M, patches of 16; {_FREE}; {_SOURCE}",
    "vit-small-16": f"21.7M, patches of 16; {_FREE}; {_SOURCE}",
    "vit-base-16": f"85.8M, patches of 16; {_FREE}; {_SOURCE}",
}
"""Named ones for the list; every other ``vit-SIZE-PATCH[-learnt][-regN][-ls]`` is built too."""


def vit_kwargs(name: str, *, image_size: int) -> dict[str, Any]:
    """Return the arguments of VisionTransformer for a name, such as ``vit-small-14-reg4-ls``.

    Args:
        name: ``vit-SIZE-PATCH``, then in any order ``-learnt`` (positions), ``-regN`` (registers), ``-ls``
            (LayerScale from 1e-5, as in DINOv2).
        image_size: Side of the images that positions are made for.

    Raises:
        ConfigError: If the name is not of that form, or the patch size does not divide the image size.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ConfigError(
            f"backbone {name} is no vit-SIZE-PATCH: SIZE is tiny, small or base, PATCH a number of pixels, "
            "and -learnt, -regN and -ls may follow, for example vit-tiny-4 or vit-small-14-reg4-ls"
        )
    size, patch, rest = match.groups()
    extras = rest.split("-")[1:]
    embed_dim, num_heads = _SIZES[size]
    return {
        "image_size": image_size,
        "patch_size": int(patch),
        "embed_dim": embed_dim,
        "num_heads": num_heads,
        "positions": "learnt" if "learnt" in extras else "sincos",
        "num_registers": sum(int(each[3:]) for each in extras if each.startswith("reg")),
        "layer_scale": 1e-5 if "ls" in extras else None,
    }


class _PatchEmbed(nn.Module):
    """A linear map of each patch; kept as a convolution's weight, as it is published."""

    def __init__(self, num_channels: int, patch_size: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(num_channels, embed_dim, patch_size, patch_size)
        nn.init.normal_(self.proj.weight, std=0.02)
        nn.init.zeros_(self.proj.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """A vision transformer that gives features, or all its tokens; a `TokenBackbone`.

    Args:
        image_size: Side in pixels that positions are made for; other sizes get them resized.
        patch_size: Side of a patch in pixels.
        num_channels: Of the images.
        embed_dim: Width.
        depth: Blocks.
        num_heads: Heads of each block's attention.
        mlp_ratio: Hidden width of each block's MLP over the width.
        positions: ``sincos`` fixed, or ``learnt``, which start at those.
        num_registers: Learnt tokens beside CLS that carry nothing out.
        layer_scale: First value of LayerScale; None for none.
        pool: What ``forward`` returns: the CLS ``token``, or the mean of the patch tokens (``avg``).

    Raises:
        ConfigError: If the sizes do not fit each other.
    """

    pos_embed: Tensor
    reg_token: nn.Parameter | None
    mask_token: nn.Parameter | None

    def __init__(
        self,
        *,
        image_size: int = 224,
        patch_size: int = 16,
        num_channels: int = 3,
        embed_dim: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        mlp_ratio: float = 4.0,
        positions: Literal["sincos", "learnt"] = "sincos",
        num_registers: int = 0,
        layer_scale: float | None = None,
        pool: Literal["token", "avg"] = "token",
    ) -> None:
        super().__init__()
        self.image_size, self.patch_size, self.num_channels = image_size, patch_size, num_channels
        self.embed_dim, self.num_heads, self.mlp_ratio = embed_dim, num_heads, mlp_ratio
        self.num_registers, self.layer_scale = num_registers, layer_scale
        self.num_prefix_tokens = 1 + num_registers
        self.pool = pool
        self.grid = self._grid(image_size, image_size)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, embed_dim))
        registers = nn.Parameter(0.02 * torch.randn(1, num_registers, embed_dim)) if num_registers else None
        self.register_parameter("reg_token", registers)
        self.register_parameter("mask_token", None)
        self._add_positions(sincos_positions(embed_dim, self.grid), learnt=positions == "learnt")
        self.patch_embed = _PatchEmbed(num_channels, patch_size, embed_dim)
        self.blocks = nn.ModuleList(
            TransformerBlock(embed_dim, num_heads, mlp_ratio=mlp_ratio, layer_scale=layer_scale)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dim, eps=EPSILON)
        self.blocks.apply(initialize_linear)

    def _add_positions(self, positions: Tensor, *, learnt: bool) -> None:
        if learnt:
            self.pos_embed = nn.Parameter(positions)
        else:
            self.register_buffer("pos_embed", positions)

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        if height % self.patch_size or width % self.patch_size:
            raise ConfigError(
                f"the sides of an image must be multiples of the patch size {self.patch_size}, got "
                f"{height} x {width} pixels (of crops: view_options.local_size)"
            )
        return height // self.patch_size, width // self.patch_size

    def add_mask_token(self) -> None:
        """Make the learnt token that ``mask`` puts in the place of a patch, if it is not there yet."""
        if self.mask_token is None:
            self.mask_token = nn.Parameter(0.02 * torch.randn_like(self.cls_token))

    def set_drop_path(self, rate: float) -> None:
        """Let samples skip branches in training; the chance rises from 0 to ``rate`` at the last block."""
        for depth, block in enumerate(self.blocks):
            block.drop_path = rate * depth / max(1, len(self.blocks) - 1)  # type: ignore[assignment]

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to features [B, D], after the last norm."""
        tokens = self._encode(self._embed(images, None, None))
        if self.pool == "token":
            return self.norm(tokens[:, 0])  # type: ignore[no-any-return]
        return self.norm(tokens[:, self.num_prefix_tokens :]).mean(dim=1)  # type: ignore[no-any-return]

    def forward_tokens(
        self, images: Tensor, *, mask: Tensor | None = None, keep: Tensor | None = None
    ) -> Tensor:
        """Map images [B, C, H, W] to tokens [B, num_prefix_tokens + N, D], after the last norm.

        Args:
            images: The batch; H and W multiples of the patch size.
            mask: bool [B, N]; True puts the mask token in the place of a patch.
            keep: int64 [B, K]; only these patches are encoded, so K takes the place of N.

        Raises:
            ConfigError: If the sides are no multiples, or there is a mask and add_mask_token was not called.
        """
        return self.norm(self._encode(self._embed(images, mask, keep)))  # type: ignore[no-any-return]

    def _embed(self, images: Tensor, mask: Tensor | None, keep: Tensor | None) -> Tensor:
        grid = self._grid(images.shape[-2], images.shape[-1])
        patches = self.patch_embed(images)
        if mask is not None:
            if self.mask_token is None:
                raise ConfigError("a mask was given to a backbone without mask token: call add_mask_token()")
            patches = torch.where(mask[..., None], self.mask_token.to(patches.dtype), patches)
        patches = patches + resize_positions(self.pos_embed, self.grid, grid)
        if keep is not None:
            patches = patches.gather(1, keep[..., None].expand(-1, -1, self.embed_dim))
        prefix = [self.cls_token] if self.reg_token is None else [self.cls_token, self.reg_token]
        return torch.cat([*(each.expand(images.shape[0], -1, -1) for each in prefix), patches], dim=1)

    def _encode(self, tokens: Tensor) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def timm_kwargs(self) -> dict[str, Any]:
        """Return the arguments with which timm's VisionTransformer is this network."""
        return {
            "img_size": self.image_size,
            "patch_size": self.patch_size,
            "in_chans": self.num_channels,
            "num_classes": 0,
            "global_pool": self.pool,
            "fc_norm": False,
            "embed_dim": self.embed_dim,
            "depth": len(self.blocks),
            "num_heads": self.num_heads,
            "mlp_ratio": self.mlp_ratio,
            "init_values": self.layer_scale,
            "reg_tokens": self.num_registers,
            "no_embed_class": True,
            "dynamic_img_size": True,
        }

    @classmethod
    def from_timm_kwargs(cls, kwargs: Mapping[str, Any]) -> "VisionTransformer":
        """Build the network that timm_kwargs described; timm is not needed."""
        return cls(
            image_size=kwargs["img_size"],
            patch_size=kwargs["patch_size"],
            num_channels=kwargs["in_chans"],
            embed_dim=kwargs["embed_dim"],
            depth=kwargs["depth"],
            num_heads=kwargs["num_heads"],
            mlp_ratio=kwargs["mlp_ratio"],
            num_registers=kwargs["reg_tokens"],
            layer_scale=kwargs["init_values"],
            pool=kwargs["global_pool"],
        )
