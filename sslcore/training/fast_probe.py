"""A linear probe in closed form, fast enough for every few epochs.

Shapes: N labelled samples, M queries, D dimensions, C classes.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

__all__ = ["ridge_predict"]


def ridge_predict(
    features: Tensor, labels: Tensor, queries: Tensor, *, num_classes: int, l2: float = 1e-2
) -> Tensor:
    """Fit a ridge regression to one-hot classes and predict those of the queries.

    Minimizes |x W + b - y|^2 / N + l2 |W|^2 on features with mean 0 and standard deviation 1 (Hoerl and
    Kennard 1970): one solve of a D x D or N x N system, where the logistic probe of the evaluate stage
    takes hundreds of passes. Its accuracy is close to, and usually a little below, that probe's.

    Args:
        features: [N, D], at least one.
        labels: int64 [N], each in [0, num_classes).
        queries: [M, D].
        num_classes: C.
        l2: Weight penalty, > 0.

    Returns:
        Predicted classes, int64 [M], on the CPU; equal scores go to the lowest class.
    """
    x_ND, q_MD = features.detach().double().cpu(), queries.detach().double().cpu()
    mean, std = x_ND.mean(dim=0), x_ND.std(dim=0, correction=0)
    scale = torch.where(std > 1e-6 * x_ND.abs().amax(dim=0).clamp_min(1e-30), 1 / std, torch.zeros_like(std))
    x_ND, q_MD = (x_ND - mean) * scale, (q_MD - mean) * scale
    y_NC = one_hot(labels.cpu(), num_classes).double()
    y_NC = y_NC - y_NC.mean(dim=0)
    shares = one_hot(labels.cpu(), num_classes).double().mean(dim=0)
    count, width = x_ND.shape
    if width <= count:
        penalty = l2 * count * torch.eye(width, dtype=torch.float64)
        weights_DC = torch.linalg.solve(x_ND.T @ x_ND + penalty, x_ND.T @ y_NC)
    else:
        penalty = l2 * count * torch.eye(count, dtype=torch.float64)
        weights_DC = x_ND.T @ torch.linalg.solve(x_ND @ x_ND.T + penalty, y_NC)
    scores_MC: Tensor = q_MD @ weights_DC + shares
    return scores_MC.argmax(dim=1)
