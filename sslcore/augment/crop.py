"""Random resized crop of a batch, each sample with its own box, as two small matrix products per sample.

Source: Szegedy et al. 2015 (area and aspect ratio), as in torchvision's RandomResizedCrop. Bilinear with
antialiasing is linear and separable: rows and columns of an image are each multiplied by a [S, L] matrix of
triangle weights, so that the whole batch is two batched products on whatever device it is on.
"""

import math

import torch
from torch import Generator, Tensor, nn

from sslcore.errors import ConfigError

__all__ = ["RandomResizedCrop", "crop_matrix", "resized_crop"]


class RandomResizedCrop(nn.Module):
    """Cut a box of random area and shape and resize it to a square.

    Args:
        size: Side of the result in pixels.
        scale: Least and greatest share of the image's area, in (0, 1].
        ratio: Least and greatest width over height.
        flip_probability: Chance that a sample is mirrored left to right, at no cost.
    """

    def __init__(
        self,
        size: int,
        *,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_probability: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ConfigError(f"crop scale must be 0 < least <= greatest <= 1, got {scale}")
        self.size, self.scale, self.ratio, self.flip_probability = size, scale, ratio, flip_probability

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map float [B, C, H, W] to [B, C, size, size]."""
        boxes = self.draw(images.shape[0], images.shape[2], images.shape[3], images.device, generator)
        flips = torch.rand(len(images), generator=generator, device=images.device) < self.flip_probability
        return resized_crop(images, boxes, self.size, flips)

    def draw(
        self, batch: int, height: int, width: int, device: torch.device, generator: Generator | None = None
    ) -> Tensor:
        """Draw boxes: int64 [B, 4] of top, left, height, width.

        A box that would not fit is shrunk to fit; torchvision draws again up to ten times instead.
        """
        area = torch.empty(batch, device=device).uniform_(*self.scale, generator=generator) * height * width
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratio = torch.empty(batch, device=device).uniform_(low, high, generator=generator).exp()
        w = (area * ratio).sqrt().round().clamp(1, width)
        h = (area / ratio).sqrt().round().clamp(1, height)
        places = torch.rand(2, batch, device=device, generator=generator)
        top = (places[0] * (height - h + 1)).floor().clamp(max=height - 1)
        left = (places[1] * (width - w + 1)).floor().clamp(max=width - 1)
        return torch.stack((top, left, h, w), 1).long()


def resized_crop(images: Tensor, boxes: Tensor, size: int, flips: Tensor | None = None) -> Tensor:
    """Cut each sample's box and resize it, bilinear with antialiasing.

    Args:
        images: float [B, C, H, W].
        boxes: int64 [B, 4] of top, left, height, width.
        size: Side of the result.
        flips: bool [B], True where the result is mirrored left to right.

    Returns:
        float [B, C, size, size].
    """
    rows = crop_matrix(boxes[:, 0], boxes[:, 2], images.shape[2], size)
    columns = crop_matrix(boxes[:, 1], boxes[:, 3], images.shape[3], size)
    if flips is not None:
        columns = torch.where(flips[:, None, None], columns.flip(1), columns)
    return rows[:, None] @ images @ columns.transpose(1, 2)[:, None]


def crop_matrix(start: Tensor, length: Tensor, in_size: int, out_size: int) -> Tensor:
    """Return [B, out_size, in_size]: each row the triangle weights of one output pixel, summing to 1.

    Args:
        start: int64 [B], first pixel of the cut.
        length: int64 [B], its pixels; those outside have weight 0.
        in_size: Pixels of the input.
        out_size: Pixels of the output.
    """
    scale = (length / out_size)[:, None, None]
    pixels = torch.arange(in_size, device=start.device)
    centres = start[:, None, None] + (torch.arange(out_size, device=start.device) + 0.5)[:, None] * scale
    weights = (1 - (pixels + 0.5 - centres).abs() / scale.clamp(min=1)).clamp(min=0)
    inside = (pixels >= start[:, None]) & (pixels < (start + length)[:, None])
    weights = weights * inside[:, None]
    return weights / weights.sum(2, keepdim=True)
