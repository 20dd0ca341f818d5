"""Solarization of a batch: what is bright is inverted."""

import torch
from torch import Generator, Tensor

from sslcore.augment.step import Drawn, Step, chance, check_probability, on_chosen

__all__ = ["RandomSolarize", "solarize"]


class RandomSolarize(Step):
    """Solarize with a probability (BYOL, Grill et al. 2020, https://arxiv.org/abs/2006.07733).

    Args:
        probability: Chance that a sample is solarized.
        threshold: Values from here on are inverted, 0..1.
    """

    def __init__(self, probability: float = 0.2, *, threshold: float = 0.5) -> None:
        super().__init__()
        self.probability = check_probability("solarize_probability", probability)
        self.threshold = check_probability("solarize threshold", threshold)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw who is solarized."""
        return {"chosen": chance(shape[0], self.probability, device=device, generator=generator)}

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float 0..1 [B, C, H, W] to the same as drawn; may overwrite ``images``."""
        return on_chosen(images, drawn["chosen"], lambda chosen: solarize(chosen, self.threshold))


def solarize(images: Tensor, threshold: float = 0.5) -> Tensor:
    """Replace each value x of float 0..1 that is at least the threshold by 1 - x."""
    if threshold == 0.5:
        return torch.minimum(images, 1 - images)  # the same, and many times as fast on a CPU
    return torch.where(images >= threshold, 1 - images, images)
