"""Where a patch is in its image, as vectors that are added to patch tokens."""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.errors import ConfigError

__all__ = ["resize_positions", "sincos_positions"]


def sincos_positions(embed_dim: int, grid: tuple[int, int], *, base: float = 10000.0) -> Tensor:
    """Return fixed two-dimensional positions: sines and cosines of the row, then of the column.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5, in two dimensions as in
    Chen, Xie, He 2021 (MoCo v3), https://arxiv.org/abs/2104.02057, section 4.1.

    Args:
        embed_dim: Width; a multiple of 4.
        grid: Rows and columns of patches.
        base: The slowest wave is ``2 pi base`` patches long.

    Returns:
        float32 [1, rows * columns, embed_dim].

    Raises:
        ConfigError: If the width is no multiple of 4.
    """
    if embed_dim % 4:
        raise ConfigError(f"embed_dim must be a multiple of 4 for sine-cosine positions, got {embed_dim}")
    quarter = embed_dim // 4
    frequencies = base ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in grid), indexing="ij")
    waves = []
    for where in (rows, columns):
        angles = where.reshape(-1, 1) * frequencies
        waves += [angles.sin(), angles.cos()]
    return torch.cat(waves, dim=1)[None].float()


def resize_positions(positions: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Return positions [1, N, D] of an ``old`` grid for a ``new`` one, bicubic and antialiased, in fp32."""
    if old == new:
        return positions
    planes = positions.float().reshape(1, *old, -1).permute(0, 3, 1, 2)
    planes = functional.interpolate(planes, size=new, mode="bicubic", antialias=True, align_corners=False)
    return planes.flatten(2).transpose(1, 2).to(positions.dtype)
