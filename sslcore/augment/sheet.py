"""A picture of views: a row for each image, the image itself first, then its views in order."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from sslcore.augment.normalize import IMAGENET, Normalization

__all__ = ["view_sheet"]

GAP = 3
PAPER = 1.0


def view_sheet(
    images: Tensor, views: Sequence[Tensor], *, normalization: Normalization = IMAGENET, cell: int = 96
) -> Image.Image:
    """Draw images and their views.

    Args:
        images: uint8 [B, 3, H, W].
        views: Normalized float [B, 3, h, w] each; the largest is drawn ``cell`` pixels wide, the others in
            proportion.
        normalization: What is taken back.
        cell: Side of a cell in pixels.
    """
    mean = torch.tensor(normalization.mean).view(1, -1, 1, 1)
    std = torch.tensor(normalization.std).view(1, -1, 1, 1)
    plain = [(view.float().cpu() * std + mean).clamp(0, 1) for view in views]
    largest = max(view.shape[-1] for view in plain)
    columns = [_cells(images.cpu() / 255, cell, cell)]
    columns += [_cells(view, round(cell * view.shape[-1] / largest), cell) for view in plain]
    step = cell + GAP
    sheet = torch.full((3, len(images) * step + GAP, len(columns) * step + GAP), PAPER)
    for across, column in enumerate(columns):
        for down, picture in enumerate(column):
            top, left = GAP + down * step, GAP + across * step
            sheet[:, top : top + cell, left : left + cell] = picture
    pixels = (sheet * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    return Image.fromarray(pixels.numpy())


def _cells(pictures: Tensor, side: int, cell: int) -> Tensor:
    """Return [B, 3, cell, cell] with the pictures at a side in the middle, on paper."""
    side = max(1, min(side, cell))
    if pictures.shape[-1] < side and pictures.shape[-1] == pictures.shape[-2]:
        drawn = interpolate(pictures, size=(side, side), mode="nearest")  # pixels stay visible
    else:
        drawn = interpolate(pictures, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    made = torch.full((len(pictures), 3, cell, cell), PAPER)
    start = (cell - side) // 2
    made[:, :, start : start + side, start : start + side] = drawn.clamp(0, 1)
    return made
