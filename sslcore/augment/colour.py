"""Colour jitter and greyscale of a batch, each sample with its own strengths.

The four adjustments are those of torchvision; the order is drawn once per batch, the strengths per sample.
"""

import torch
from torch import Generator, Tensor, nn

from sslcore.errors import ConfigError

__all__ = [
    "ColourJitter",
    "RandomGreyscale",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "greyscale",
]

LUMA = (0.2989, 0.587, 0.114)


class ColourJitter(nn.Module):
    """Change brightness, contrast, saturation and hue at random.

    Args:
        brightness: Factor drawn from 1 - b .. 1 + b.
        contrast: Likewise.
        saturation: Likewise.
        hue: Shift drawn from -h .. h of the colour circle; at most 0.5.
        probability: Chance that a sample is changed at all.
    """

    def __init__(
        self, brightness: float, contrast: float, saturation: float, hue: float, *, probability: float = 0.8
    ) -> None:
        super().__init__()
        if not 0 <= hue <= 0.5:
            raise ConfigError(f"hue must be in 0..0.5, got {hue}")
        self.strengths = (brightness, contrast, saturation, hue)
        self.probability = probability

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map float 0..1 [B, 3, H, W] to the same."""
        batch, device = len(images), images.device
        chosen = torch.rand(batch, device=device, generator=generator) < self.probability
        drawn = torch.rand(4, batch, device=device, generator=generator) * 2 - 1
        order = torch.randperm(4, device=device, generator=generator).tolist()
        adjusted = images
        for each in order:
            strength = self.strengths[each]
            if strength:
                value = drawn[each] * strength if each == 3 else (1 + drawn[each] * strength).clamp(min=0)
                adjusted = ADJUST[each](adjusted, value)
        return torch.where(chosen[:, None, None, None], adjusted, images)


class RandomGreyscale(nn.Module):
    """Take the colour away with a probability; three equal channels remain."""

    def __init__(self, probability: float = 0.2) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map float [B, 3, H, W] to the same."""
        chosen = torch.rand(len(images), device=images.device, generator=generator) < self.probability
        return torch.where(chosen[:, None, None, None], greyscale(images), images)


def greyscale(images: Tensor) -> Tensor:
    """Return the luma, [B, 1, H, W], of float [B, 3, H, W]."""
    red, green, blue = images.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).unsqueeze(1)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply each sample by its factor [B]."""
    return (images * factor[:, None, None, None]).clamp(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each sample with the mean of its luma by its factor [B]."""
    mean = greyscale(images).mean((1, 2, 3), keepdim=True)
    return mean.lerp(images, factor[:, None, None, None]).clamp(0, 1)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each sample with its luma by its factor [B]."""
    return greyscale(images).lerp(images, factor[:, None, None, None]).clamp(0, 1)


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of each sample by its shift [B], in turns of the colour circle."""
    value, hue, chroma = _hue_and_chroma(images)
    hue = hue + shift[:, None, None] * 6
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = torch.remainder(hue + offset, 6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, 1)


def _hue_and_chroma(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return value 0..1, hue 0..6 and chroma (value times saturation), each [B, H, W]."""
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    chroma = value - images.amin(1)
    scale = 1 / torch.where(chroma > 0, chroma, 1)
    hue = torch.where(
        value == red,
        (green - blue) * scale,
        torch.where(value == green, 2 + (blue - red) * scale, 4 + (red - green) * scale),
    )
    return value, hue, chroma


ADJUST = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
