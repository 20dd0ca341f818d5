"""Synchronous momentum grouping: an instance is told apart not from other instances but from other groups.

Source: Pang et al. 2022 (SMoG), https://arxiv.org/abs/2207.06167, equations 2 to 5.

Shape suffixes: N samples, G groups, D dimensions.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.distributed import sum_over_ranks
from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["group_contrast", "moved_groups", "nearest_groups"]


@in_fp32
def group_contrast(
    predictions: Tensor, groups: Tensor, assigned: Tensor, *, temperature: float = 0.1
) -> Tensor:
    """Return the mean cross entropy of samples among groups, in fp32.

    Args:
        predictions: [N, D], any length.
        groups: [G, D], any length.
        assigned: The right group of each sample, int64 [N].
        temperature: Divides the cosine similarities; > 0.

    Raises:
        ConfigError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    similarity_NG = functional.normalize(predictions, dim=1) @ functional.normalize(groups, dim=1).T
    return functional.cross_entropy(similarity_NG / temperature, assigned)


@torch.no_grad()
def nearest_groups(z: Tensor, groups: Tensor) -> Tensor:
    """Return the group [N] with the greatest cosine similarity to each of [N, D]."""
    with torch.autocast(z.device.type, enabled=False):
        unit_ND = functional.normalize(z.float(), dim=1)
        return (unit_ND @ functional.normalize(groups.float(), dim=1).T).argmax(dim=1)


@in_fp32
def moved_groups(groups: Tensor, z: Tensor, *, momentum: float = 0.99) -> Tensor:
    """Move each group towards the mean of the samples nearest to it.

    Args:
        groups: [G, D].
        z: [N, D], any length: they count as unit vectors; with several processes all of them count.
        momentum: What remains of a group (beta); groups without samples stay.

    Returns:
        [G, D]. Gradients flow back into ``z``: that is what is synchronous.
    """
    unit_ND = functional.normalize(z, dim=1)
    assigned = nearest_groups(z, groups)
    sums_GD = sum_over_ranks(torch.zeros_like(groups).index_add(0, assigned, unit_ND))
    ones_N = torch.ones_like(assigned, dtype=groups.dtype)
    counts_G = sum_over_ranks(torch.zeros_like(groups[:, 0]).index_add(0, assigned, ones_N))
    means_GD = sums_GD / counts_G.clamp(min=1)[:, None]
    moved_GD = momentum * groups + (1 - momentum) * means_GD
    return torch.where(counts_G[:, None] > 0, moved_GD, groups)
