"""Random resized crop of a batch, each sample with its own box, mirrored at no cost.

Source: Szegedy et al. 2015 (area and aspect ratio), https://arxiv.org/abs/1409.4842, drawn as torchvision's
RandomResizedCrop draws: up to ten boxes, the first that fits is taken; else the largest one
in the middle.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import interpolate

from sslcore.augment.kernels import view_kernels
from sslcore.augment.normalize import to_unit
from sslcore.augment.resample import KERNELS, LARGE, crop_matrix, crop_taps, sum_rows
from sslcore.augment.step import Drawn, chance, check_probability, uniform
from sslcore.choices import check_choice
from sslcore.compiled import as_array
from sslcore.errors import ConfigError

__all__ = ["RandomResizedCrop", "crop_cutter", "crop_shares", "draw_boxes", "resized_crop"]

TRIES = 10


class RandomResizedCrop(nn.Module):
    """Cut a box of random area and shape and resize it to a square, with antialiasing.

    Args:
        size: Side of the result in pixels.
        scale: Least and greatest share of the image's area, in (0, 1].
        ratio: Least and greatest width over height.
        flip_probability: Chance that a sample is mirrored left to right.
        vertical_flip_probability: Chance that a sample is turned upside down.
        interpolation: bilinear or bicubic.
    """

    def __init__(
        self,
        size: int,
        *,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_probability: float = 0.5,
        vertical_flip_probability: float = 0.0,
        interpolation: str = "bilinear",
    ) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(f"crop size must be >= 1, got {size}")
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ConfigError(f"crop scale must be 0 < least <= greatest <= 1, got {scale}")
        if not 0 < ratio[0] <= ratio[1]:
            raise ConfigError(f"crop ratio must be 0 < least <= greatest, got {ratio}")
        self.size, self.scale, self.ratio = size, scale, ratio
        self.flip_probability = check_probability("flip_probability", flip_probability)
        self.vertical_flip_probability = check_probability(
            "vertical_flip_probability", vertical_flip_probability
        )
        self.interpolation = check_choice(interpolation, KERNELS, name="interpolation")

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw boxes, int64 [B, 4] of top, left, height, width, and flips, bool [B, 2], vertical first."""
        boxes = draw_boxes(shape, self.scale, self.ratio, device=device, generator=generator)
        flips = [
            chance(shape[0], probability, device=device, generator=generator)
            for probability in (self.vertical_flip_probability, self.flip_probability)
        ]
        return {"boxes": boxes, "flips": torch.stack(flips, 1)}

    def cutter(self, images: Tensor, drawn: Drawn) -> Callable[[slice], Tensor]:
        """Return a function from a slice of the batch to its cuts, float 0..1 [n, C, size, size]."""
        return crop_cutter(images, drawn["boxes"], self.size, drawn["flips"], self.interpolation)

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map uint8 or float [B, C, H, W] to float 0..1 [B, C, size, size]."""
        drawn = self.draw(images.shape, images.device, generator)
        return self.cutter(images, drawn)(slice(None))


def draw_boxes(
    shape: torch.Size,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    *,
    device: torch.device,
    generator: Generator | None,
) -> Tensor:
    """Draw a box inside each image of [B, C, H, W]: int64 [B, 4] of top, left, height, width."""
    batch, height, width = shape[0], shape[2], shape[3]
    tries = (TRIES, batch)
    area = uniform(tries, *scale, device=device, generator=generator) * height * width
    low, high = math.log(ratio[0]), math.log(ratio[1])
    shapes = uniform(tries, low, high, device=device, generator=generator).exp()
    places = uniform((2, batch), 0.0, 1.0, device=device, generator=generator)
    w, h = (area * shapes).sqrt().round(), (area / shapes).sqrt().round()
    fits = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    found = fits.any(0)
    middle_w = round(min(width, max(1, height * ratio[1])))
    middle_h = round(min(height, max(1, width / ratio[0])))
    w = torch.where(found, w.gather(0, first)[0], middle_w)
    h = torch.where(found, h.gather(0, first)[0], middle_h)
    places = torch.where(found, places, 0.5)
    top = (places[0] * (height - h + 1)).floor().clamp(max=height - 1).minimum(height - h)
    left = (places[1] * (width - w + 1)).floor().clamp(max=width - 1).minimum(width - w)
    return torch.stack((top, left, h, w), 1).long()


def crop_shares(drawn: Drawn, shape: torch.Size) -> Tensor:
    """Return where crops were cut out, float32 [B, 4] of left, top, right, bottom as ViewList has them.

    Args:
        drawn: What RandomResizedCrop drew.
        shape: Of the images, [B, C, H, W].
    """
    top, left, height, width = drawn["boxes"].unbind(1)
    across = torch.stack((left, left + width), 1) / shape[3]
    down = torch.stack((top, top + height), 1) / shape[2]
    upside_down, mirrored = drawn["flips"].unbind(1)
    across = torch.where(mirrored[:, None], across.flip(1), across)
    down = torch.where(upside_down[:, None], down.flip(1), down)
    return torch.stack((across[:, 0], down[:, 0], across[:, 1], down[:, 1]), 1)


def resized_crop(
    images: Tensor,
    boxes: Tensor,
    size: int,
    flips: Tensor | None = None,
    interpolation: str = "bilinear",
    *,
    dense: bool | None = None,
) -> Tensor:
    """Cut each sample's box and resize it, with antialiasing; arguments as crop_cutter takes them."""
    return crop_cutter(images, boxes, size, flips, interpolation, dense=dense)(slice(None))


def crop_cutter(
    images: Tensor,
    boxes: Tensor,
    size: int,
    flips: Tensor | None = None,
    interpolation: str = "bilinear",
    *,
    dense: bool | None = None,
) -> Callable[[slice], Tensor]:
    """Return a function that cuts each sample's box and resizes it, with antialiasing, for a part of a batch.

    Args:
        images: uint8 0..255 or float 0..1 [B, C, H, W].
        boxes: int64 [B, 4] of top, left, height, width.
        size: Side of the result.
        flips: bool [B, 2], True where the result is upside down, mirrored left to right.
        interpolation: bilinear or bicubic, whose overshoot is cut off at 0 and 1.
        dense: Whether to multiply by whole matrices; by default everywhere but on the CPU.

    Returns:
        From a slice of the batch to float 0..1 [n, C, size, size]. Where nothing is compiled, what is cut on
        the CPU out of uint8 images of more than LARGE pixels are whole levels of 1/255, as from torchvision;
        else they are not rounded.
    """
    flips = torch.zeros_like(boxes[:, :2], dtype=torch.bool) if flips is None else flips
    if images.device.type != "cpu" if dense is None else dense:
        cut = _dense_cutter(images, boxes, size, flips, interpolation)
    else:
        made = _compiled_cutter(images, boxes, size, flips, interpolation)
        if made is not None:
            return made
        cut = _sparse_cutter(images, boxes, size, flips, interpolation)
    if interpolation == "bilinear":
        return cut
    return lambda piece: cut(piece).clamp_(0, 1)


def _dense_cutter(
    images: Tensor, boxes: Tensor, size: int, flips: Tensor, interpolation: str
) -> Callable[[slice], Tensor]:
    rows, columns = (
        crop_matrix(
            boxes[:, side], boxes[:, side + 2], images.shape[side + 2], size, interpolation, flips[:, side]
        )
        for side in (0, 1)
    )
    return lambda piece: rows[piece, None] @ to_unit(images[piece]) @ columns[piece].transpose(1, 2)[:, None]


def _compiled_cutter(
    images: Tensor, boxes: Tensor, size: int, flips: Tensor, interpolation: str
) -> Callable[[slice], Tensor] | None:
    kernels = view_kernels(images)
    if kernels is None:
        return None
    source, places, turned = as_array(images), as_array(boxes), as_array(flips)
    unit = np.float32(1 / 255 if images.dtype == torch.uint8 else 1)

    def cut(piece: slice) -> Tensor:
        made = torch.empty(len(places[piece]), images.shape[1], size, size)
        args = (source[piece], places[piece], turned[piece], unit, interpolation == "bicubic")
        kernels.cut(*args, as_array(made))
        return made

    return cut


def _sparse_cutter(
    images: Tensor, boxes: Tensor, size: int, flips: Tensor, interpolation: str
) -> Callable[[slice], Tensor]:
    channels, height, width = images.shape[1:]
    large = height * width > LARGE
    if large and images.dtype == torch.uint8:
        return _level_cutter(images, boxes, size, flips, interpolation)
    index, weights = zip(
        *(crop_taps(boxes[:, side + 2], size, interpolation, flips[:, side]) for side in (0, 1)), strict=True
    )
    if images.dtype == torch.uint8:
        weights[0].mul_(1 / 255)

    def cut_small(piece: slice) -> Tensor:
        part = images[piece].to(torch.float32)
        for side in (0, 1):
            at = index[side][piece] + boxes[piece, side, None, None]
            part = sum_rows(part, at, weights[side][piece], side + 2)
        return part

    def cut_large(piece: slice) -> Tensor:
        # One by one, so that what is outside of a box need not be read.
        some = boxes[piece].tolist()
        made = torch.empty(channels, len(some), size, size).permute(1, 0, 3, 2)
        for number, (top, left, tall, wide) in enumerate(some, start=piece.start or 0):
            one = slice(number, number + 1)
            part = images[one, :, top : top + tall, left : left + wide].to(torch.float32)
            for side in (0, 1):
                part = sum_rows(part, index[side][one], weights[side][one], side + 2)
            made[number - (piece.start or 0)] = part[0]
        return made

    return cut_large if large else cut_small


def _level_cutter(
    images: Tensor, boxes: Tensor, size: int, flips: Tensor, interpolation: str
) -> Callable[[slice], Tensor]:
    """Cut large uint8 images by PyTorch's own kernel for them, in whole levels, as torchvision cuts them."""

    def cut(piece: slice) -> Tensor:
        some, turned = boxes[piece].tolist(), flips[piece].tolist()
        made = torch.empty(len(some), images.shape[1], size, size)
        for image, target, (top, left, tall, wide), sides in zip(
            images[piece], made, some, turned, strict=True
        ):
            part = interpolate(
                image[None, :, top : top + tall, left : left + wide],
                size=(size, size),
                mode=interpolation,
                antialias=True,
            )
            dims = [dim for dim, turn in zip((1, 2), sides, strict=True) if turn]
            target.copy_(part[0].flip(dims) if dims else part[0])
        return made.mul_(1 / 255)

    return cut
