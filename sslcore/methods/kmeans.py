"""k-means on the unit sphere, in torch, the same result in every process."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["spherical_kmeans"]


@torch.no_grad()
def spherical_kmeans(vectors_ND: Tensor, num_clusters: int, *, num_iterations: int = 10) -> Tensor:
    """Group vectors by direction.

    Starts from vectors at equal distances in the given order, without chance.

    Args:
        vectors_ND: [N, D], any length.
        num_clusters: K, at most N.
        num_iterations: How often vectors are assigned and centres moved.

    Returns:
        Unit vectors [K, D]; a cluster that no vector is nearest to keeps its centre.
    """
    unit_ND = functional.normalize(vectors_ND.float(), dim=1)
    start = torch.arange(num_clusters, device=unit_ND.device) * len(unit_ND) // num_clusters
    centres_KD = unit_ND[start]
    for _ in range(num_iterations):
        assigned_N = (unit_ND @ centres_KD.T).argmax(dim=1)
        sums_KD = torch.zeros_like(centres_KD).index_add_(0, assigned_N, unit_ND)
        used_K = torch.bincount(assigned_N, minlength=num_clusters) > 0
        centres_KD = torch.where(used_K[:, None], functional.normalize(sums_KD, dim=1), centres_KD)
    return centres_KD
