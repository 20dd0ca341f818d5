"""Barlow Twins: the cross-correlation of the two views' features should be the identity.

Source: Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, equations 1 and 2. With several processes the
statistics are those of the whole batch.

Shape suffixes: N samples, D dimensions.
"""

from torch import Tensor

from sslcore.distributed import mean_over_ranks
from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["barlow_twins"]

EPSILON = 1e-5
"""Added to variances, as batch norm does in the authors' code."""


@in_fp32
def barlow_twins(z_a: Tensor, z_b: Tensor, *, off_diagonal_weight: float = 5e-3) -> Tensor:
    """Return the sum over the matrix of how far it is from the identity, in fp32.

    Args:
        z_a: Projections [N, D] of the first views.
        z_b: Projections [N, D] of the second views, row for row of the same samples.
        off_diagonal_weight: Lambda of the paper, what a squared entry off the diagonal weighs; >= 0.

    Returns:
        A scalar; about D for unrelated views.

    Raises:
        ConfigError: If the weight is negative.
    """
    if off_diagonal_weight < 0:
        raise ConfigError(f"off_diagonal_weight must be >= 0, got {off_diagonal_weight}")
    correlation_DD = mean_over_ranks(_standardize(z_a).T @ _standardize(z_b) / len(z_a))
    diagonal_D = correlation_DD.diagonal()
    off_diagonal = correlation_DD.square().sum() - diagonal_D.square().sum()
    return (1 - diagonal_D).square().sum() + off_diagonal_weight * off_diagonal


def _standardize(z_ND: Tensor) -> Tensor:
    """Give each dimension mean 0 and variance 1 over the whole batch."""
    centred = z_ND - mean_over_ranks(z_ND.mean(dim=0))
    variance_D = mean_over_ranks(centred.square().mean(dim=0))
    return centred * (variance_D + EPSILON).rsqrt()
