"""From uint8 pixels to what a backbone sees."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["IMAGENET", "Normalization", "normalize", "to_unit"]


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation per channel, of pixels scaled to 0..1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def to_unit(images: Tensor) -> Tensor:
    """Scale uint8 0..255 to float32 0..1; float images come back as float32, unscaled."""
    unit = images.to(torch.float32)
    return unit.div_(255) if images.dtype == torch.uint8 else unit


def normalize(images: Tensor, normalization: Normalization) -> Tensor:
    """Normalize a batch.

    Args:
        images: uint8 0..255 or float 0..1 [B, C, H, W].
        normalization: Mean and standard deviation per channel.

    Returns:
        float32 [B, C, H, W].
    """
    mean = torch.tensor(normalization.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(normalization.std, device=images.device).view(1, -1, 1, 1)
    return (to_unit(images) - mean) / std
