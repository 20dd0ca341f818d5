"""Match the prototypes that a masked view and a whole view are assigned to, all prototypes kept in use.

Source: Assran et al. 2022 (MSN), https://arxiv.org/abs/2204.07141, equation 1; and with another distribution
of prototypes than the uniform one Assran et al. 2022 (PMSN), https://arxiv.org/abs/2210.07277, equation 4.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.distributed import mean_over_ranks
from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32
from sslcore.losses.sinkhorn import sinkhorn

__all__ = ["power_law", "prototype_matching"]


def power_law(num_prototypes: int, exponent: float, *, device: torch.device | str = "cpu") -> Tensor:
    """Return the distribution [K] whose k-th entry, from 1, is proportional to k ** -exponent."""
    weights = torch.arange(1, num_prototypes + 1, dtype=torch.float64, device=device) ** -exponent
    return (weights / weights.sum()).float()


@in_fp32
def prototype_matching(
    anchors_ABD: Tensor,
    targets_BD: Tensor,
    prototypes_KD: Tensor,
    *,
    temperature: float = 0.1,
    target_temperature: float = 0.025,
    prior: Tensor | None = None,
    regularization: float = 1.0,
    sinkhorn_iterations: int = 3,
) -> Tensor:
    """Return the cross entropy of assignments, plus how far their mean is from the prior, in fp32.

    The regularizer is the KL divergence of the mean assignment of all anchors, of all processes, from the
    prior. For the uniform one it is log(K) minus the entropy of the mean: MSN's term plus a constant.

    Args:
        anchors_ABD: Projections of A anchor views of B images, [A, B, D], any length.
        targets_BD: Projections of the target view, [B, D], any length; no gradient flows into them, nor from
            them into the prototypes.
        prototypes_KD: [K, D], any length.
        temperature: Divides the anchors' cosine similarities; > 0.
        target_temperature: The same for the targets, lower; the paper's 0.1 sharpened by 0.25 is 0.025.
        prior: Probability of each prototype, [K], summing to 1; None is uniform.
        regularization: Factor on the divergence.
        sinkhorn_iterations: How often the targets are evened out over prototypes; 0 for never.

    Returns:
        A scalar.

    Raises:
        ConfigError: If a temperature is not positive.
    """
    for name, value in (("temperature", temperature), ("target_temperature", target_temperature)):
        if value <= 0:
            raise ConfigError(f"{name} must be > 0, got {value}")
    prototypes = functional.normalize(prototypes_KD, dim=1)
    log_p = (functional.normalize(anchors_ABD, dim=2) @ prototypes.T / temperature).log_softmax(dim=2)
    with torch.no_grad():
        log_q = functional.normalize(targets_BD, dim=1) @ prototypes.T / target_temperature
        log_q = log_q.log_softmax(dim=1)
        q = (
            sinkhorn(log_q, temperature=1.0, num_iterations=sinkhorn_iterations)
            if sinkhorn_iterations
            else log_q.exp()
        )
    matching = -(q * log_p).sum(dim=2).mean()
    mean = mean_over_ranks(log_p.exp().mean(dim=(0, 1)))
    log_prior = -math.log(len(mean)) if prior is None else prior.log()
    tiny = torch.finfo(mean.dtype).tiny
    return matching + regularization * (mean * (mean.clamp(min=tiny).log() - log_prior)).sum()
