"""Numbers that show whether features have collapsed, without any label.

Shapes: N samples, D dimensions.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["alignment", "effective_rank", "feature_std", "uniformity"]


def feature_std(features: Tensor) -> float:
    """Return how spread out the directions of the features are.

    The mean over dimensions of the standard deviation of the L2-normalized features: 1 / sqrt(D) when
    they are spread evenly over the sphere, 0 when all are one point.
    Source: Chen & He, "Exploring Simple Siamese Representation Learning", CVPR 2021,
    https://arxiv.org/abs/2011.10566 (section 4.1, figure 2).

    Args:
        features: [N, D], at least one of each.

    Returns:
        A number in [0, 1]; NaN if a feature is not finite.

    Raises:
        ValueError: If ``features`` is not a matrix with a row and a column.
    """
    _check(features)
    unit_ND = normalize(features.detach().double(), dim=1)
    return float(unit_ND.std(dim=0, correction=0).mean())


def effective_rank(features: Tensor) -> float:
    """Return how many dimensions the features make use of (RankMe).

    The exponential of the entropy of the singular values divided by their sum: r when r singular
    values are equal and the others 0, so between 1 and min(N, D).
    Source: Garrido et al., "RankMe: Assessing the Downstream Performance of Pretrained
    Self-Supervised Representations by Their Rank", ICML 2023, https://arxiv.org/abs/2210.02885.
    Differs: the paper adds 1e-7 to each share to keep the logarithm finite; here 0 log 0 is 0. The
    singular values are square roots of the eigenvalues of the smaller Gram matrix in float64, which
    takes the matrix product instead of a decomposition of all N rows.

    Args:
        features: [N, D], at least one of each; not centred, as in the paper.

    Returns:
        A number in [1, min(N, D)]; 0 if all features are zero, NaN if one is not finite.

    Raises:
        ValueError: If ``features`` is not a matrix with a row and a column.
    """
    _check(features)
    x_ND = features.detach().double()
    if not bool(torch.isfinite(x_ND).all()):
        return math.nan
    gram = x_ND.T @ x_ND if x_ND.shape[0] >= x_ND.shape[1] else x_ND @ x_ND.T
    # On the CPU: small, and float64 is slow on most GPUs. Rounding can leave eigenvalues below 0.
    singular = torch.linalg.eigvalsh(gram.cpu()).clamp_min(0).sqrt()
    total = singular.sum()
    if float(total) == 0:
        return 0.0
    return float(torch.special.entr(singular / total).sum().exp())


def alignment(features_a: Tensor, features_b: Tensor) -> float:
    """Return how far apart two views of a sample are: the mean squared distance of L2-normalized features.

    0 when both views of each sample have the same direction, 2 when they are unrelated; lower is better, as
    long as `uniformity` is low too. Source: Wang & Isola, "Understanding Contrastive Representation Learning
    through Alignment and Uniformity on the Hypersphere", ICML 2020, https://arxiv.org/abs/2005.10242, with
    alpha 2.

    Args:
        features_a: [N, D], of one view of each sample.
        features_b: [N, D], of another view of the same samples, row for row.

    Returns:
        A number in [0, 4]; NaN if a feature is not finite.

    Raises:
        ValueError: If they are not matrices of one shape, with a row and a column.
    """
    _check(features_a)
    if features_a.shape != features_b.shape:
        raise ValueError(
            f"both must be [N, D], row for row, got {list(features_a.shape)} and {list(features_b.shape)}"
        )
    a_ND = normalize(features_a.detach().double(), dim=1)
    b_ND = normalize(features_b.detach().double(), dim=1)
    return float((a_ND - b_ND).square().sum(dim=1).mean())


def uniformity(features: Tensor) -> float:
    """Return how evenly the directions of features fill the sphere: log mean exp(-2 * squared distance).

    Over all pairs of different samples; 0 when all directions are one, about -4 when they are spread evenly
    in many dimensions; lower is better. Source: Wang & Isola 2020, https://arxiv.org/abs/2005.10242 (t = 2).

    Args:
        features: [N, D], at least two rows.

    Returns:
        A number in [-8, 0]; NaN if a feature is not finite.

    Raises:
        ValueError: If ``features`` is not a matrix with two rows and a column.
    """
    _check(features)
    if len(features) < 2:
        raise ValueError("uniformity needs at least two samples, got 1")
    unit_ND = normalize(features.detach().double(), dim=1)
    squared = (2 - 2 * unit_ND @ unit_ND.T).clamp_min(0)
    pairs = torch.triu_indices(len(features), len(features), offset=1, device=squared.device)
    exponents = -2 * squared[pairs[0], pairs[1]]
    return float(exponents.logsumexp(dim=0)) - math.log(exponents.numel())


def _check(features: Tensor) -> None:
    if features.ndim != 2 or features.shape[0] == 0 or features.shape[1] == 0:
        raise ValueError(f"features must be [N, D] with N, D >= 1, got {list(features.shape)}")
