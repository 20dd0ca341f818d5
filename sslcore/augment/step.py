"""What all random operations share: chance is drawn for a whole batch first, then the samples are changed.

Drawing apart from changing lets a set of views draw once for a batch and then work through it in pieces that
fit the processor's cache.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from sslcore.errors import ConfigError

__all__ = ["Drawn", "Step", "chance", "check_probability", "on_chosen", "put", "take", "uniform"]

Drawn = dict[str, Tensor]
"""What was drawn for a batch: tensors with a row per sample."""


class Step(nn.Module):
    """One random operation on a batch of float images 0..1, each sample with its own chance."""

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw the chance of every sample.

        Args:
            shape: Of the images, [B, C, H, W].
            device: Where the images are.
            generator: Source of the chance, on any device; None takes the device's own.
        """
        raise NotImplementedError

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float [B, C, H, W] to the same as drawn; may overwrite ``images``.

        On a CPU several threads may call it at once, each with its own part of a batch.
        """
        raise NotImplementedError

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map float 0..1 [B, C, H, W] to the same, which is left as it was."""
        return self.change(images.clone(), self.draw(images.shape, images.device, generator))


def uniform(
    shape: tuple[int, ...], low: float, high: float, *, device: torch.device, generator: Generator | None
) -> Tensor:
    """Draw float32 in low..high where the generator is, and bring it to ``device``."""
    place = device if generator is None else generator.device
    return (torch.rand(shape, device=place, generator=generator) * (high - low) + low).to(device)


def chance(batch: int, probability: float, *, device: torch.device, generator: Generator | None) -> Tensor:
    """Draw bool [B], True with a probability."""
    return uniform((batch,), 0.0, 1.0, device=device, generator=generator) < probability


def check_probability(name: str, value: float) -> float:
    """Return ``value`` if it is in 0..1.

    Raises:
        ConfigError: If it is not.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} must be in 0..1, got {value}")
    return value


def on_chosen(images: Tensor, chosen: Tensor, change: Callable[..., Tensor], *per_sample: Tensor) -> Tensor:
    """Change the chosen samples only; may overwrite ``images``.

    On the CPU only those are worked on. Elsewhere all are, since finding out which would make the CPU wait.

    Args:
        images: float [B, C, H, W].
        chosen: bool [B].
        change: From images [n, C, H, W] and rows of ``per_sample`` to images; may overwrite its input.
        *per_sample: Further arguments of ``change`` with a row per sample.
    """
    if images.device.type != "cpu":
        changed = change(images.clone(), *per_sample)
        return torch.where(chosen[:, None, None, None], changed, images)
    rows = chosen.nonzero().squeeze(1)
    if len(rows) == 0:
        return images
    if len(rows) == len(images):
        return change(images, *per_sample)
    changed = change(take(images, rows), *(each[rows] for each in per_sample))
    return put(images, rows, changed)


def take(images: Tensor, rows: Tensor) -> Tensor:
    """Return samples of [B, C, H, W] in the same order of memory, whatever it is."""
    order = _memory_order(images)
    taken = images.permute(order).index_select(order.index(0), rows)
    return taken.permute(_inverse(order))


def put(images: Tensor, rows: Tensor, changed: Tensor) -> Tensor:
    """Overwrite samples of [B, C, H, W] and return it."""
    order = _memory_order(images)
    images.permute(order).index_copy_(order.index(0), rows, changed.permute(order))
    return images


def _memory_order(images: Tensor) -> list[int]:
    """Return the dimensions from the one with the greatest stride to the one with the least."""
    strides = images.stride()
    return sorted(range(images.ndim), key=lambda dim: (-strides[dim], dim))


def _inverse(order: list[int]) -> list[int]:
    return sorted(range(len(order)), key=lambda place: order[place])
