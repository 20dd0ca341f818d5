"""Ready-made sets of views: from a batch of images to a list of augmented batches, on their device."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sslcore.augment.blur import RandomGaussianBlur
from sslcore.augment.colour import ColourJitter, RandomGreyscale
from sslcore.augment.crop import RandomResizedCrop
from sslcore.augment.normalize import IMAGENET, Normalization, normalize, to_unit
from sslcore.choices import check_choice, suggestion
from sslcore.errors import ConfigError

__all__ = ["VIEWS", "SimCLRViews", "build_views"]

VIEWS: Mapping[str, str] = {
    "simclr": "two views: crop 0.08-1, flip, jitter 1.0, grey 0.2, blur 0.5; Chen et al. 2020, appendix A",
    "simclr-small": "for small images: jitter 0.5, no blur; Chen et al. 2020, appendix B.9 (CIFAR-10)",
}


class SimCLRViews(nn.Module):
    """The two views of SimCLR (Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A).

    Args:
        image_size: Side of a view in pixels.
        normalization: Mean and standard deviation per channel.
        min_scale: Least share of an image's area in a view.
        jitter_strength: Factor on brightness, contrast, saturation 0.8 and hue 0.2.
        jitter_probability: Chance of colour jitter.
        grey_probability: Chance of greyscale.
        blur_probability: Chance of Gaussian blur, sigma 0.1 to 2 pixels at 224, in proportion elsewhere.
        flip_probability: Chance of mirroring.
        num_views: How many views of each image.
    """

    def __init__(
        self,
        image_size: int,
        *,
        normalization: Normalization = IMAGENET,
        min_scale: float = 0.08,
        jitter_strength: float = 1.0,
        jitter_probability: float = 0.8,
        grey_probability: float = 0.2,
        blur_probability: float = 0.5,
        flip_probability: float = 0.5,
        num_views: int = 2,
    ) -> None:
        super().__init__()
        for name, chance in (
            ("jitter_probability", jitter_probability),
            ("grey_probability", grey_probability),
            ("blur_probability", blur_probability),
            ("flip_probability", flip_probability),
        ):
            if not 0 <= chance <= 1:
                raise ConfigError(f"{name} must be in 0..1, got {chance}")
        strong = 0.8 * jitter_strength
        self.normalization, self.num_views = normalization, num_views
        self.crop = RandomResizedCrop(image_size, scale=(min_scale, 1.0), flip_probability=flip_probability)
        self.steps = nn.ModuleList(
            [
                ColourJitter(strong, strong, strong, 0.2 * jitter_strength, probability=jitter_probability),
                RandomGreyscale(grey_probability),
            ]
        )
        if blur_probability > 0:
            unit = image_size / 224
            self.steps.append(RandomGaussianBlur((0.1 * unit, 2.0 * unit), probability=blur_probability))

    @torch.no_grad()
    def forward(self, images: Tensor, generator: Generator | None = None) -> list[Tensor]:
        """Make the views.

        Args:
            images: uint8 or float 0..1 [B, 3, H, W].
            generator: Source of all chance, on the device of the images.

        Returns:
            ``num_views`` normalized float32 tensors [B, 3, image_size, image_size].
        """
        # Views stay exact in a caller's autocast block, whose products would be bf16.
        with torch.autocast(images.device.type, enabled=False):
            unit = to_unit(images)
            return [self._view(unit, generator) for _ in range(self.num_views)]

    def _view(self, images: Tensor, generator: Generator | None) -> Tensor:
        view = self.crop(images, generator)
        for step in self.steps:
            view = step(view, generator)
        return normalize(view, self.normalization).contiguous(memory_format=torch.channels_last)


_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "simclr": {},
    "simclr-small": {"jitter_strength": 0.5, "blur_probability": 0.0},
}


def build_views(
    name: str, *, image_size: int, normalization: Normalization = IMAGENET, **options: Any
) -> SimCLRViews:
    """Build a named set of views.

    Args:
        name: One of VIEWS.
        image_size: Side of a view in pixels.
        normalization: Mean and standard deviation per channel.
        **options: Arguments of SimCLRViews that win over the named set's.

    Raises:
        ConfigError: If the name or an option is unknown, or a value is out of range.
    """
    preset = _PRESETS[check_choice(name, VIEWS, name="views")]
    known = sorted(set(inspect.signature(SimCLRViews).parameters) - {"image_size", "normalization"})
    for option in options:
        if option not in known:
            hint = suggestion(option, known) or "; known: " + ", ".join(known)
            raise ConfigError(f"views {name} have no option '{option}'{hint}")
    return SimCLRViews(image_size, normalization=normalization, **{**preset, **options})
