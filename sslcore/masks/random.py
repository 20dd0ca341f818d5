"""Hide single patches at random, the same number in each image.

Source: He et al. 2021 (MAE), https://arxiv.org/abs/2111.06377, section 3.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sslcore.errors import ConfigError

__all__ = ["RandomMasks", "random_masks"]


class RandomMasks(NamedTuple):
    """Patches of each image by their numbers."""

    keep: Tensor
    """int64 [B, K]: those that are seen, in random order."""
    masked: Tensor
    """int64 [B, N - K]: those that are hidden, in random order."""


def random_masks(
    batch_size: int, num_patches: int, *, mask_ratio: float, device: torch.device | str = "cpu"
) -> RandomMasks:
    """Draw which patches are hidden, from torch's generator on the device.

    Args:
        batch_size: Images.
        num_patches: Patches N of an image.
        mask_ratio: Share of them that is hidden, in 0..1; int(N * (1 - mask_ratio)) are kept, as in MAE, and
            at least one.
        device: Where.

    Raises:
        ConfigError: If the ratio is not in 0..1.
    """
    if not 0 <= mask_ratio < 1:
        raise ConfigError(f"mask_ratio must be in 0..1 and below 1, got {mask_ratio}")
    kept = max(1, int(num_patches * (1 - mask_ratio) + 1e-9))
    order = torch.rand(batch_size, num_patches, device=device).argsort(dim=1)
    return RandomMasks(order[:, :kept], order[:, kept:])
