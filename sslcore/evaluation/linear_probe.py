"""Linear probe: multinomial logistic regression on frozen features.

The convex form (L-BFGS on all samples, features standardized) as in Kornblith et al., "Do Better
ImageNet Models Transfer Better?", CVPR 2019, https://arxiv.org/abs/1805.08974: no learning rate, no
epochs, the same answer for any order of the samples.

Shapes: N labelled samples, M queries, D dimensions, C classes.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sslcore.errors import ConfigError

__all__ = ["linear_probe"]


def linear_probe(
    features: Tensor,
    labels: Tensor,
    queries: Tensor,
    *,
    num_classes: int,
    l2: float = 1e-3,
    max_iterations: int = 300,
) -> Tensor:
    """Fit a linear classifier and predict the classes of the queries.

    Minimizes mean cross-entropy + l2 / 2 * |W|^2 (the bias is free) on features with mean 0 and
    standard deviation 1, both measured on ``features``; a dimension that does not vary is dropped.

    Args:
        features: Features with known labels, [N, D]; at least one.
        labels: Their classes, int64 [N], each in [0, num_classes).
        queries: Features to classify, [M, D].
        num_classes: C.
        l2: Weight penalty, greater than 0.
        max_iterations: Bound on the steps of L-BFGS.

    Returns:
        Predicted classes, int64 [M], on the device of ``queries``; equal scores go to the lowest class.

    Raises:
        ConfigError: If ``l2`` is not greater than 0.
        ValueError: If there is no labelled sample, or the shapes do not fit together.
    """
    if l2 <= 0:
        raise ConfigError(f"l2 must be > 0, got {l2:g}")
    if features.ndim != 2 or len(features) == 0 or queries.shape[1:] != features.shape[1:]:
        raise ValueError(
            f"features and queries must be [N, D] and [M, D] with N >= 1, got {list(features.shape)} "
            f"and {list(queries.shape)}"
        )
    mean, scale = _standardization(features)
    weight, bias = _fit(
        (features.detach().float() - mean) * scale,
        labels.to(features.device),
        num_classes=num_classes,
        l2=l2,
        max_iterations=max_iterations,
    )
    scores = (queries.detach().float() - mean) * scale @ weight.T + bias
    return scores.argmax(dim=1)


def _standardization(features: Tensor) -> tuple[Tensor, Tensor]:
    wide = features.detach().double()
    mean, std = wide.mean(dim=0), wide.std(dim=0, correction=0)
    # Rounding alone gives a constant dimension a tiny spread, which dividing would blow up to 1.
    constant = std <= 1e-6 * wide.abs().amax(dim=0).clamp_min(1e-30)
    scale = torch.where(constant, torch.zeros_like(std), 1 / std)
    return mean.float(), scale.float()


def _fit(
    x_ND: Tensor, labels_N: Tensor, *, num_classes: int, l2: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    weight_CD = torch.zeros(num_classes, x_ND.shape[1], device=x_ND.device, requires_grad=True)
    bias_C = torch.zeros(num_classes, device=x_ND.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_CD, bias_C],
        max_iter=max_iterations,
        history_size=10,
        tolerance_grad=1e-5,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = 0.5 * l2 * weight_CD.square().sum()
        loss: Tensor = cross_entropy(x_ND @ weight_CD.T + bias_C, labels_N) + penalty
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves LBFGS.step untyped
    return weight_CD.detach(), bias_C.detach()
