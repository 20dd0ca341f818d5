"""A large block of context and several small blocks to predict from it.

Source: Assran et al. 2023 (I-JEPA), https://arxiv.org/abs/2301.08243, section 3 and appendix A.1.

Different here: scale and aspect ratio of the targets are drawn independently, and an image that has more
context than the poorest of its batch gives up random patches, not the lowest ones.
"""

import math

import torch
from torch import Generator, Tensor

from sslcore.errors import ConfigError

__all__ = ["context_and_targets"]

TRIES = 20


def context_and_targets(
    batch_size: int,
    grid: tuple[int, int],
    *,
    num_targets: int = 4,
    context_scale: tuple[float, float] = (0.85, 1.0),
    target_scale: tuple[float, float] = (0.15, 0.2),
    target_aspect: tuple[float, float] = (0.75, 1.5),
    min_keep: int = 10,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw the patches of context and of targets.

    Drawn on the CPU, for the whole batch at once: how many patches remain as context is a size that the host
    must know, and on a GPU it would have to wait for it. Block sizes are drawn once for a batch, places for
    each image; patches of a target are never context.

    Args:
        batch_size: Images.
        grid: Rows and columns of patches.
        num_targets: Targets T of an image.
        context_scale: Least and greatest share of the patches in the context, a square, before targets are
            taken out of it.
        target_scale: Least and greatest share in a target.
        target_aspect: Least and greatest height over width of a target.
        min_keep: Context of an image is drawn again while it has fewer patches, 20 times at most; on grids
            of fewer than 80 patches an eighth of them.
        generator: Source of chance on the CPU; None is torch's own.

    Returns:
        Context int64 [B, K] and targets int64 [B, T, M], on the CPU.

    Raises:
        ConfigError: If no context is left in an image.
    """
    rows, columns = grid
    target = _size(grid, target_scale, target_aspect, generator)
    context = _size(grid, context_scale, (1.0, 1.0), generator)
    least = max(1, min(min_keep, rows * columns // 8))
    inside = _blocks(batch_size * num_targets, grid, target, generator).reshape(batch_size, num_targets, -1)
    seen = _blocks(batch_size, grid, context, generator) & ~inside.any(dim=1)
    for _ in range(TRIES):
        poor = seen.sum(dim=1) < least
        if not poor.any():
            break
        again = _blocks(int(poor.sum()) * num_targets, grid, target, generator)
        inside[poor] = again.reshape(-1, num_targets, rows * columns)
        seen[poor] = _blocks(int(poor.sum()), grid, context, generator) & ~inside[poor].any(dim=1)
    kept = int(seen.sum(dim=1).min())
    if kept == 0:
        raise ConfigError(
            f"{num_targets} targets leave no context on a grid of {rows} x {columns} patches: take fewer or "
            "smaller ones, or a smaller patch size"
        )
    chance = torch.rand(seen.shape, generator=generator).masked_fill(~seen, 2.0)
    keep = chance.argsort(dim=1)[:, :kept].sort(dim=1).values
    places = inside.to(torch.uint8).argsort(dim=2, descending=True, stable=True)[..., : target[0] * target[1]]
    return keep, places


def _size(
    grid: tuple[int, int],
    scale: tuple[float, float],
    aspect: tuple[float, float],
    generator: Generator | None,
) -> tuple[int, int]:
    """Draw rows and columns of a block, less than the grid's unless that is one."""
    share, shape = torch.rand(2, generator=generator).tolist()
    area = grid[0] * grid[1] * (scale[0] + share * (scale[1] - scale[0]))
    ratio = aspect[0] + shape * (aspect[1] - aspect[0])
    height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
    return max(1, min(height, grid[0] - 1)), max(1, min(width, grid[1] - 1))


def _blocks(count: int, grid: tuple[int, int], size: tuple[int, int], generator: Generator | None) -> Tensor:
    """Draw places for blocks of one size: bool [count, rows * columns], True inside."""
    top = torch.randint(grid[0] - size[0] + 1, (count, 1), generator=generator)
    left = torch.randint(grid[1] - size[1] + 1, (count, 1), generator=generator)
    row, column = torch.arange(grid[0]), torch.arange(grid[1])
    in_rows = (row >= top) & (row < top + size[0])
    in_columns = (column >= left) & (column < left + size[1])
    return (in_rows[:, :, None] & in_columns[:, None, :]).flatten(1)
