"""Rotation of a batch, each sample by its own angle."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from sslcore.augment.step import Drawn, Step, chance, check_probability, on_chosen, uniform
from sslcore.errors import ConfigError

__all__ = ["RandomQuarterTurn", "RandomRotation", "rotate"]


class RandomRotation(Step):
    """Turn about the middle with a probability; what comes in from outside is black.

    Args:
        degrees: Angle drawn from -degrees .. degrees, counter-clockwise.
        probability: Chance that a sample is turned.
    """

    def __init__(self, degrees: float = 90.0, *, probability: float = 0.5) -> None:
        super().__init__()
        if not 0 <= degrees <= 180:
            raise ConfigError(f"rotation_degrees must be in 0..180, got {degrees}")
        self.degrees = degrees
        self.probability = check_probability("rotation_probability", probability)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw who is turned, and by how many degrees."""
        return {
            "chosen": chance(shape[0], self.probability, device=device, generator=generator),
            "degrees": uniform((shape[0],), -self.degrees, self.degrees, device=device, generator=generator),
        }

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float [B, C, H, W] to the same as drawn; may overwrite ``images``."""
        return on_chosen(images, drawn["chosen"], rotate, drawn["degrees"])


class RandomQuarterTurn(Step):
    """Turn by 90, 180 or 270 degrees with a probability, for images that have no up: satellites, microscopes.

    Args:
        probability: Chance that a sample is turned.
    """

    def __init__(self, probability: float = 0.75) -> None:
        super().__init__()
        self.probability = check_probability("quarter_turn_probability", probability)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw how many quarters each sample is turned by, counter-clockwise, 0 to 3."""
        if shape[2] != shape[3]:
            raise ConfigError(f"quarter turns need square images, got {shape[2]} x {shape[3]}")
        chosen = chance(shape[0], self.probability, device=device, generator=generator)
        quarters = uniform((shape[0],), 1.0, 4.0, device=device, generator=generator).floor().clamp_(max=3)
        return {"quarters": torch.where(chosen, quarters, 0).long()}

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float [B, C, S, S] to the same as drawn; may overwrite ``images``."""
        for quarters in (1, 2, 3):
            turned = drawn["quarters"] == quarters
            images = on_chosen(images, turned, lambda chosen, by=quarters: torch.rot90(chosen, by, (2, 3)))
        return images


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each sample of float [B, C, H, W] counter-clockwise by degrees [B]; bilinear, black outside."""
    height, width = images.shape[2:]
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = (
        torch.stack((cos, -sin * height / width, zero), 1),
        torch.stack((sin * width / height, cos, zero), 1),
    )
    grid = affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
