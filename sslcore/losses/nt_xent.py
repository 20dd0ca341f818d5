"""Normalized temperature-scaled cross entropy (NT-Xent).

Source: Chen et al. 2020, https://arxiv.org/abs/2002.05709, equation 1. With several processes the other
samples are those of all of them, as in the paper (section 2.2).
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.distributed import gather, rank
from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["nt_xent", "pair_similarities"]


@in_fp32
def nt_xent(z_a: Tensor, z_b: Tensor, *, temperature: float = 0.5) -> Tensor:
    """Return the mean loss over the 2N views of a batch, in fp32.

    Args:
        z_a: Projections [N, D] of the first views, any length.
        z_b: Projections [N, D] of the second views, row for row of the same samples.
        temperature: Divides the cosine similarities; > 0.

    Returns:
        A scalar; with several processes, of the views of this one among those of all.

    Raises:
        ConfigError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    similarities, own, partner = pair_similarities(z_a, z_b)
    others = similarities.scatter(1, own[:, None], -torch.inf)
    return functional.cross_entropy(others / temperature, partner)


def pair_similarities(z_a: Tensor, z_b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compare each view of this process with the views of all processes.

    Args:
        z_a: Projections [N, D] of the first views, any length.
        z_b: Projections [N, D] of the second views.

    Returns:
        Cosine similarities [2N, 2M], M samples in all processes, first views before second ones; and for each
        row the column [2N] that is the row itself, and the column [2N] of the other view of its sample.
    """
    z_a, z_b = functional.normalize(z_a, dim=1), functional.normalize(z_b, dim=1)
    all_a, all_b = gather(z_a), gather(z_b)
    similarities = torch.cat((z_a, z_b)) @ torch.cat((all_a, all_b)).T
    first = rank() * len(z_a) + torch.arange(len(z_a), device=z_a.device)
    second = first + len(all_a)
    return similarities, torch.cat((first, second)), torch.cat((second, first))
