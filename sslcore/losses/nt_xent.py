"""Normalized temperature-scaled cross entropy (NT-Xent).

Source: Chen et al. 2020, https://arxiv.org/abs/2002.05709, equation 1.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.errors import ConfigError

__all__ = ["nt_xent"]


def nt_xent(z_a: Tensor, z_b: Tensor, *, temperature: float = 0.5) -> Tensor:
    """Return the mean loss over the 2N views of a batch, in fp32.

    Args:
        z_a: Projections [N, D] of the first views, any length.
        z_b: Projections [N, D] of the second views, row for row of the same samples.
        temperature: Divides the cosine similarities; > 0.

    Returns:
        A scalar.

    Raises:
        ConfigError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    count = z_a.shape[0]
    z = functional.normalize(torch.cat((z_a, z_b)).float(), dim=1)
    with torch.autocast(z.device.type, enabled=False):
        similarities = z @ z.T / temperature
    similarities = similarities.masked_fill(
        torch.eye(2 * count, dtype=torch.bool, device=z.device), -torch.inf
    )
    partner = torch.arange(2 * count, device=z.device).roll(count)
    return functional.cross_entropy(similarities, partner)
