"""VICReg: views agree (invariance), dimensions vary (variance) and differ from each other (covariance).

Source: Bardes, Ponce, LeCun 2021, https://arxiv.org/abs/2105.04906, equations 1 to 6, with the scaling of the
authors' code (https://github.com/facebookresearch/vicreg), where the published weights belong: the invariance
is a mean over dimensions too, and the variance a mean over the two views. With several processes the
statistics are those of the whole batch.

Shape suffixes: N samples, D dimensions; leading dimensions (...) are positions, each with its own statistics.
"""

from torch import Tensor
from torch.nn import functional

from sslcore.distributed import mean_over_ranks, sum_over_ranks, world_size
from sslcore.losses.precision import in_fp32

__all__ = ["covariance_term", "variance_term", "vicreg"]

EPSILON = 1e-4
"""Added to variances before the root, as in the paper."""


@in_fp32
def vicreg(
    z_a: Tensor, z_b: Tensor, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> Tensor:
    """Return the weighted sum of the three terms, in fp32.

    Args:
        z_a: Projections [N, D] of the first views; N >= 2 over all processes.
        z_b: Projections [N, D] of the second views, row for row of the same samples.
        invariance: Weight of the mean squared difference (lambda).
        variance: Weight of `variance_term`, the mean over both views (mu).
        covariance: Weight of `covariance_term`, the sum over both views (nu).
    """
    spread = (variance_term(z_a) + variance_term(z_b)) / 2
    redundancy = covariance_term(z_a) + covariance_term(z_b)
    return invariance * functional.mse_loss(z_a, z_b) + variance * spread + covariance * redundancy


@in_fp32
def variance_term(z: Tensor) -> Tensor:
    """Return how far standard deviations over the batch fall short of 1, a mean over dimensions.

    Args:
        z: [..., N, D]; the batch of all processes counts.
    """
    centred = z - mean_over_ranks(z.mean(dim=-2, keepdim=True))
    variance = sum_over_ranks(centred.square().sum(dim=-2)) / (z.shape[-2] * world_size() - 1)
    return functional.relu(1 - (variance + EPSILON).sqrt()).mean()


@in_fp32
def covariance_term(z: Tensor) -> Tensor:
    """Return the squared covariances of different dimensions, summed and divided by D.

    Args:
        z: [..., N, D]; the batch of all processes counts. A mean is taken over leading dimensions.
    """
    centred = z - mean_over_ranks(z.mean(dim=-2, keepdim=True))
    covariance_DD = sum_over_ranks(centred.mT @ centred) / (z.shape[-2] * world_size() - 1)
    diagonal = covariance_DD.diagonal(dim1=-2, dim2=-1).square().sum(dim=-1)
    return (covariance_DD.square().sum(dim=(-2, -1)) - diagonal).mean() / z.shape[-1]
