"""Gaussian blur of a batch, each sample with its own width, separable: along one side, then along the other.

Edges are mirrored, as in torchvision's gaussian_blur; the kernel ends at five standard deviations, beyond
which less than a millionth is left.
"""

import math

import torch
from torch import Generator, Tensor

from sslcore.augment.kernels import view_kernels
from sslcore.augment.resample import sum_rows
from sslcore.augment.step import Drawn, Step, chance, check_probability, on_chosen, uniform
from sslcore.compiled import as_array
from sslcore.errors import ConfigError

__all__ = ["RandomGaussianBlur", "blur_matrix", "gaussian_blur"]

REACH = 5


class RandomGaussianBlur(Step):
    """Blur with a probability.

    Args:
        sigma: Least and greatest standard deviation in pixels.
        probability: Chance that a sample is blurred.
    """

    def __init__(self, sigma: tuple[float, float] = (0.1, 2.0), *, probability: float = 0.5) -> None:
        super().__init__()
        if not 0 < sigma[0] <= sigma[1]:
            raise ConfigError(f"blur sigma must be 0 < least <= greatest, got {sigma}")
        self.sigma = sigma
        self.probability = check_probability("blur_probability", probability)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw who is blurred, and by how much."""
        return {
            "chosen": chance(shape[0], self.probability, device=device, generator=generator),
            "sigma": uniform((shape[0],), *self.sigma, device=device, generator=generator),
        }

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float [B, C, H, W] to the same as drawn; may overwrite ``images``."""
        if (kernels := view_kernels(images)) is not None:
            images = images.contiguous()
            kernels.blur(as_array(images), as_array(drawn["chosen"]), as_array(drawn["sigma"]))
            return images
        return on_chosen(images, drawn["chosen"], gaussian_blur, drawn["sigma"])


def gaussian_blur(images: Tensor, sigma: Tensor, *, dense: bool | None = None) -> Tensor:
    """Blur each sample.

    Args:
        images: float [B, C, H, W].
        sigma: float [B], standard deviation in pixels.
        dense: Whether to multiply by whole matrices; by default everywhere but on the CPU.

    Returns:
        float [B, C, H, W].
    """
    if images.device.type != "cpu" if dense is None else dense:
        rows = blur_matrix(sigma, images.shape[2])
        columns = rows if images.shape[2] == images.shape[3] else blur_matrix(sigma, images.shape[3])
        return rows[:, None] @ images @ columns.transpose(1, 2)[:, None]
    # The side that lies right in memory first.
    for dim in (3, 2) if images.stride(2) < images.stride(3) else (2, 3):
        index, weights = blur_taps(sigma, images.shape[dim])
        images = sum_rows(images, index, weights, dim)
    return images


def blur_taps(sigma: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return which pixels make up each blurred one, int64 [B, size, K], and their weights, which sum to 1."""
    reach = min(math.ceil(REACH * float(sigma.max())), size - 1)
    offsets = torch.arange(-reach, reach + 1, device=sigma.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    source = _mirrored(torch.arange(size, device=sigma.device)[:, None] + offsets, size)
    shape = (len(sigma), size, len(offsets))
    return source.expand(shape), kernel[:, None].expand(shape)


def blur_matrix(sigma: Tensor, size: int) -> Tensor:
    """Return the same as [B, size, size], whose row i holds the weights of blurred pixel i."""
    offsets = torch.arange(-(size - 1), size, device=sigma.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    source = _mirrored(torch.arange(size, device=sigma.device)[:, None] + offsets, size)
    matrix = torch.zeros(len(sigma), size, size, device=sigma.device)
    return matrix.scatter_add_(2, source.expand(len(sigma), -1, -1), kernel[:, None].expand(-1, size, -1))


def _mirrored(place: Tensor, size: int) -> Tensor:
    """Mirror places outside of 0..size-1 at the first and the last pixel, which are not repeated."""
    place = place.abs()
    return torch.where(place > size - 1, 2 * (size - 1) - place, place)
