"""Hide rectangles of patches, a chosen number of patches in each image.

Source: Bao et al. 2021 (BEiT), https://arxiv.org/abs/2106.08254, algorithm 1, as iBOT (Zhou et al. 2021,
https://arxiv.org/abs/2111.07832) and DINOv2 (Oquab et al. 2023, https://arxiv.org/abs/2304.07193) use it.

Different here, so that a batch is drawn at once and no step waits for the device: an image gets exactly its
number of patches (the last rectangle is cut, not drawn again until it fits), and the ratios of a batch are
spread evenly between their bounds and dealt out at random, instead of drawn one by one.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sslcore.errors import ConfigError

__all__ = ["BlockMasks", "block_masks", "masked_counts"]

NUM_RECTANGLES = 12
"""Drawn for each image; what they leave open, which is rare, is filled with single patches at random."""
SMALLEST = 4
"""Patches of the smallest rectangle."""
ASPECT = 0.3
"""Height over width of a rectangle is between this and one over it."""


class BlockMasks(NamedTuple):
    """Masks of a batch, and where their patches are."""

    mask: Tensor
    """bool [B, N]; True is hidden."""
    indices: Tensor
    """int64 [M]: the hidden patches among all B * N, image by image."""
    weights: Tensor
    """fp32 [M]: one over the number of hidden patches in the image of each."""


def masked_counts(
    batch_size: int, num_patches: int, *, ratio: tuple[float, float], probability: float
) -> list[int]:
    """Return how many patches are hidden in the images of a batch, in no particular order.

    Args:
        batch_size: Images.
        num_patches: Patches of each.
        ratio: Least and greatest share of patches that is hidden, in 0..1.
        probability: Share of images, rounded but one at least unless it is 0, that are masked at all; the
            others have 0.

    Raises:
        ConfigError: If a share is out of range.
    """
    low, high = ratio
    if not 0 < low <= high < 1:
        raise ConfigError(f"mask_ratio must be two rising numbers between 0 and 1, got {low} and {high}")
    if not 0 <= probability <= 1:
        raise ConfigError(f"mask_probability must be in 0..1, got {probability}")
    masked = max(1, round(batch_size * probability)) if probability else 0
    spread = [low + (high - low) * (each + 0.5) / masked for each in range(masked)]
    return [max(1, int(num_patches * share)) for share in spread] + [0] * (batch_size - masked)


def block_masks(
    counts: list[int], grid: tuple[int, int], *, device: torch.device | str = "cpu"
) -> BlockMasks:
    """Draw masks made of rectangles, from torch's generator on the device.

    Args:
        counts: How many patches are hidden in the images; dealt out to them at random.
        grid: Rows and columns of patches.
        device: Where.

    Raises:
        ConfigError: If a count is above the number of patches.
    """
    batch_size, num_patches = len(counts), grid[0] * grid[1]
    if max(counts, default=0) > num_patches:
        raise ConfigError(f"{max(counts)} patches cannot be hidden in an image that has {num_patches}")
    dealt = torch.tensor(counts).to(device, non_blocking=True)
    dealt = dealt[torch.rand(batch_size, device=device).argsort()]
    first = _first_rectangle(dealt, grid).flatten(1)
    # Rectangles in their order, each row by row; what none covers comes last, in random order.
    by_row = torch.arange(num_patches, device=device) / num_patches
    chance = torch.rand(batch_size, num_patches, device=device)
    order = (first + torch.where(first < NUM_RECTANGLES, by_row, chance)).argsort(dim=1)
    hidden = torch.arange(num_patches, device=device) < dealt[:, None]
    mask = torch.zeros_like(hidden).scatter(1, order, hidden)
    total = sum(counts)
    indices = mask.flatten().to(torch.uint8).argsort(descending=True, stable=True)[:total]
    return BlockMasks(mask, indices, 1 / dealt[indices // num_patches].float())


def _first_rectangle(counts: Tensor, grid: tuple[int, int]) -> Tensor:
    """Draw rectangles and return for each patch, [B, rows, columns], the first that covers it."""
    rows, columns = grid
    area, aspect, down, across = torch.rand(4, len(counts), NUM_RECTANGLES, device=counts.device).unbind()
    area = SMALLEST + area * (counts[:, None] - SMALLEST).clamp(min=0)
    aspect = torch.exp((2 * aspect - 1) * math.log(1 / ASPECT))
    height = (area * aspect).sqrt().round().clamp(1, rows)
    width = (area / aspect).sqrt().round().clamp(1, columns)
    top, left = (down * (rows - height + 1)).floor(), (across * (columns - width + 1)).floor()
    row, column = torch.arange(rows, device=counts.device), torch.arange(columns, device=counts.device)
    in_rows = (row >= top[..., None]) & (row < (top + height)[..., None])
    in_columns = (column >= left[..., None]) & (column < (left + width)[..., None])
    inside = in_rows[..., :, None] & in_columns[..., None, :]
    number = torch.arange(NUM_RECTANGLES, device=counts.device).reshape(-1, 1, 1)
    return torch.where(inside, number, NUM_RECTANGLES).amin(dim=1)
