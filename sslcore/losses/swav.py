"""Swapped prediction: each view predicts the prototypes that another view was assigned to.

Source: Caron et al. 2020 (SwAV), https://arxiv.org/abs/2006.09882, equations 1 and 6.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["swapped_prediction"]


@in_fp32
def swapped_prediction(
    scores: Sequence[Tensor], codes: Sequence[Tensor], *, temperature: float = 0.1
) -> Tensor:
    """Return the mean cross entropy over all pairs of a code and another view, in fp32.

    Args:
        scores: For each view its similarity to each prototype, [N, K].
        codes: For the first views, or some of them, the assignments [N, K] (`sinkhorn`), rows summing to 1;
            no gradient flows into them.
        temperature: Divides the scores; > 0.

    Returns:
        A scalar.

    Raises:
        ConfigError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    log_predictions = [(each / temperature).log_softmax(dim=1) for each in scores]
    losses = [
        -(code.detach() * prediction).sum(dim=1).mean()
        for assigned, code in enumerate(codes)
        for view, prediction in enumerate(log_predictions)
        if view != assigned
    ]
    return torch.stack(losses).mean()
