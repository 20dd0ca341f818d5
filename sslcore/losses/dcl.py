"""Decoupled contrastive learning: the positive pair is left out of the denominator; with weights, DCLW.

Source: Yeh et al. 2022, https://arxiv.org/abs/2110.06848, equations 5 and 6 and section 3.3. With several
processes the negatives, and the mean in the weights, are those of all of them.
"""

import torch
from torch import Tensor

from sslcore.distributed import mean_over_ranks
from sslcore.errors import ConfigError
from sslcore.losses.nt_xent import pair_similarities
from sslcore.losses.precision import in_fp32

__all__ = ["dcl"]


@in_fp32
def dcl(z_a: Tensor, z_b: Tensor, *, temperature: float = 0.1, sigma: float | None = None) -> Tensor:
    """Return the mean loss over the 2N views of a batch, in fp32.

    Args:
        z_a: Projections [N, D] of the first views, any length.
        z_b: Projections [N, D] of the second views, row for row of the same samples.
        temperature: Divides the cosine similarities; > 0.
        sigma: None for DCL. For DCLW the width of the weights, > 0 (0.5 in the paper): pairs that agree less
            than others weigh more. The weights pass no gradient on.

    Returns:
        A scalar.

    Raises:
        ConfigError: If the temperature or sigma is not positive.
    """
    for name, value in (("temperature", temperature), ("sigma", sigma)):
        if value is not None and value <= 0:
            raise ConfigError(f"{name} must be > 0, got {value}")
    similarities, own, partner = pair_similarities(z_a, z_b)
    positive = similarities.gather(1, partner[:, None]).squeeze(1)
    neither = torch.stack((own, partner), dim=1)
    negatives = similarities.scatter(1, neither, -torch.inf)
    weight = _weights(positive.detach(), sigma) if sigma is not None else 1.0
    return (torch.logsumexp(negatives / temperature, dim=1) - weight * positive / temperature).mean()


def _weights(positive: Tensor, sigma: float) -> Tensor:
    """Return 2 - exp(s / sigma) / mean(exp(s / sigma)) of the similarities s of the pairs."""
    closeness = (positive / sigma).exp()
    return 2 - closeness / mean_over_ranks(closeness.mean())
