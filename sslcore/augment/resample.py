"""Separable resampling of a batch, each sample with its own weights: rows first, then columns.

Every output row is a weighted sum of a few input rows, and every output column of a few input columns. On the
CPU the sums run over those few only, through ``embedding_bag``: the rows of all images are one table, and an
output row is a bag of some of them. Elsewhere the weights become [S, L] matrices, mostly zero, and the batch
two products: more arithmetic, but nothing that a GPU has to wait for.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

__all__ = ["KERNELS", "LARGE", "copy_planes", "crop_matrix", "crop_taps", "lay_out", "sum_rows"]

KERNELS = {"bilinear": 1.0, "bicubic": 2.0}
"""Ways to resize, and how far each reaches in pixels of the coarser grid."""

LARGE = 60 * 60
"""Pixels from which on a plane is worth a call of its own."""


def crop_taps(
    length: Tensor, out_size: int, kernel: str = "bilinear", flips: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return which pixels along one side of a cut make up each output pixel, and their weights.

    Args:
        length: int64 [B], pixels of the cut.
        out_size: Pixels of the output.
        kernel: One of KERNELS, with antialiasing.
        flips: bool [B], True where the output runs backwards.

    Returns:
        Indices from the start of the cut, int64, and weights, float32, both [B, out_size, K]; the weights sum
        to 1, and are 0 where fewer than K pixels count.
    """
    scale, centres = _grid(length, out_size, flips)
    reach = KERNELS[kernel] * scale.clamp(min=1)
    most = int((2 * reach).max().ceil()) if len(length) else 1
    first = (centres - reach + 0.5).floor_()
    at = first[:, :, None] + torch.arange(most, device=length.device)
    last = (length - 1)[:, None, None]
    index = at.clamp(torch.zeros_like(last), last)
    distance = (at + 0.5 - centres[:, :, None]).mul_(1 / scale.clamp(min=1)[:, :, None])
    weights = _weight(kernel, distance).mul_(index == at)
    return index.long(), weights.div_(weights.sum(2, keepdim=True))


def crop_matrix(
    start: Tensor,
    length: Tensor,
    in_size: int,
    out_size: int,
    kernel: str = "bilinear",
    flips: Tensor | None = None,
) -> Tensor:
    """Return the same weights as a matrix, [B, out_size, in_size], whose rows sum to 1.

    Args:
        start: int64 [B], first pixel of the cut.
        length: int64 [B], its pixels; those outside have weight 0.
        in_size: Pixels of the input.
        out_size: Pixels of the output.
        kernel: One of KERNELS, with antialiasing.
        flips: bool [B], True where the output runs backwards.
    """
    scale, centres = _grid(length, out_size, flips)
    at = torch.arange(in_size, device=start.device) - start[:, None]
    distance = (at[:, None] + 0.5 - centres[:, :, None]) / scale.clamp(min=1)[:, :, None]
    weights = _weight(kernel, distance) * ((at >= 0) & (at < length[:, None]))[:, None]
    return weights / weights.sum(2, keepdim=True)


def _grid(length: Tensor, out_size: int, flips: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return input pixels per output pixel, [B, 1], and where output pixels lie in the cut, [B, out_size]."""
    scale = (length / out_size)[:, None]
    place = torch.arange(out_size, device=length.device) + 0.5
    if flips is None:
        return scale, place * scale
    backwards = flips[:, None].float()
    return scale, (place * (1 - 2 * backwards) + out_size * backwards) * scale


def _weight(kernel: str, distance: Tensor) -> Tensor:
    """Return the weight at a distance: a triangle, or Keys' cubic with a = -0.5, as in torch and PIL."""
    x = distance.abs()
    if kernel == "bilinear":
        return (1 - x).clamp_(min=0)
    # Both parts are 0 at 1, the second also at 2: their sum is the piecewise cubic, without a slow where.
    near, far = x.clamp(max=1), x.clamp(1, 2)
    return ((1.5 * near - 2.5) * near * near + 1) + ((-0.5 * far + 2.5) * far - 4) * far + 2


def sum_rows(images: Tensor, index: Tensor, weights: Tensor, dim: int) -> Tensor:
    """Make each pixel along a side the weighted sum of a few.

    Args:
        images: float [B, C, H, W].
        index: int64 [B, S, K], pixels along that side.
        weights: float [B, S, K].
        dim: The side: 2 for rows, 3 for columns.

    Returns:
        float [B, C, S, W] or [B, C, H, S]; in memory C comes first, then B, the side, and the other one.
    """
    order = (1, 0, 2, 3) if dim == 2 else (1, 0, 3, 2)
    table = lay_out(images.permute(order))
    channels, batch, length, other = table.shape
    size, most = index.shape[1:]
    plane = torch.arange(channels * batch, device=index.device).view(channels, batch, 1, 1) * length
    bags = (index + plane).view(-1, most)
    each = weights.expand(channels, -1, -1, -1).reshape(-1, most)
    made = embedding_bag(bags, table.view(-1, other), per_sample_weights=each, mode="sum")
    return made.view(channels, batch, size, other).permute(order)


def lay_out(images: Tensor) -> Tensor:
    """Return a contiguous copy of [A, B, H, W], or itself if it is one."""
    if images.is_contiguous():
        return images
    made = torch.empty_like(images, memory_format=torch.contiguous_format)
    copy_planes(made, images)
    return made


def copy_planes(target: Tensor, source: Tensor) -> None:
    """Copy [A, B, H, W]; large planes one by one: PyTorch transposes a plane by blocks, but not a batch."""
    if source.shape[2] * source.shape[3] < LARGE:
        target.copy_(source)
        return
    for to_row, from_row in zip(target, source, strict=True):
        for to_plane, from_plane in zip(to_row, from_row, strict=True):
            to_plane.copy_(from_plane)
