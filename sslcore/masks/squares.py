"""Hide squares of several patches at random, the same number in each image.

Source: Xie et al. 2021 (SimMIM), https://arxiv.org/abs/2111.09886, section 3.2.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sslcore.errors import ConfigError

__all__ = ["SquareMasks", "square_masks"]


class SquareMasks(NamedTuple):
    """Masks of a batch, and where their patches are."""

    mask: Tensor
    """bool [B, N]; True is hidden."""
    masked: Tensor
    """int64 [B, M]: the hidden patches of each image, in rising order."""


def square_masks(
    batch_size: int,
    grid: tuple[int, int],
    *,
    side: int,
    mask_ratio: float,
    device: torch.device | str = "cpu",
) -> SquareMasks:
    """Draw masks made of squares on a grid of their own, from torch's generator on the device.

    Args:
        batch_size: Images.
        grid: Rows and columns of patches.
        side: Of a square, in patches; divides both.
        mask_ratio: Share of squares that is hidden, rounded up as published; in 0..1.
        device: Where.

    Raises:
        ConfigError: If the side does not divide the grid or the ratio is not in 0..1.
    """
    rows, columns = grid
    if side < 1 or rows % side or columns % side:
        raise ConfigError(f"masked squares of {side} patches do not tile a grid of {rows} x {columns}")
    if not 0 < mask_ratio < 1:
        raise ConfigError(f"mask_ratio must be between 0 and 1, got {mask_ratio}")
    down, across = rows // side, columns // side
    hidden = math.ceil(down * across * mask_ratio)
    order = torch.rand(batch_size, down * across, device=device).argsort(dim=1)
    squares = order.argsort(dim=1) < hidden
    squares = squares.reshape(batch_size, down, 1, across, 1).expand(-1, -1, side, -1, side)
    mask = squares.reshape(batch_size, rows * columns)
    order = mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    return SquareMasks(mask, order[:, : hidden * side**2])
