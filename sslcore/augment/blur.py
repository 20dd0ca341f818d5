"""Gaussian blur of a batch, each sample with its own width, as two banded matrix products per sample."""

import torch
from torch import Generator, Tensor, nn

__all__ = ["RandomGaussianBlur", "blur_matrix", "gaussian_blur"]


class RandomGaussianBlur(nn.Module):
    """Blur with a probability.

    Args:
        sigma: Least and greatest standard deviation in pixels.
        probability: Chance that a sample is blurred.
    """

    def __init__(self, sigma: tuple[float, float] = (0.1, 2.0), *, probability: float = 0.5) -> None:
        super().__init__()
        self.sigma, self.probability = sigma, probability

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map float [B, C, H, W] to the same."""
        batch, device = len(images), images.device
        chosen = torch.rand(batch, device=device, generator=generator) < self.probability
        sigma = torch.empty(batch, device=device).uniform_(*self.sigma, generator=generator)
        blurred = gaussian_blur(images, sigma)
        return torch.where(chosen[:, None, None, None], blurred, images)


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each sample of float [B, C, H, W] with its sigma [B] in pixels; edges are mirrored."""
    rows = blur_matrix(sigma, images.shape[2])
    columns = rows if images.shape[2] == images.shape[3] else blur_matrix(sigma, images.shape[3])
    return rows[:, None] @ images @ columns.transpose(1, 2)[:, None]


def blur_matrix(sigma: Tensor, size: int) -> Tensor:
    """Return [B, size, size]: row i holds the weights of output pixel i, summing to 1; edges are mirrored."""
    at = torch.arange(size, device=sigma.device)
    reach = torch.arange(-(size - 1), size, device=sigma.device)
    kernel = torch.exp(-0.5 * (reach / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    source = (at[:, None] + reach).abs()
    source = torch.where(source > size - 1, 2 * (size - 1) - source, source)
    matrix = torch.zeros(len(sigma), size, size, device=sigma.device)
    return matrix.scatter_add_(2, source.expand(len(sigma), -1, -1), kernel[:, None].expand(-1, size, -1))
