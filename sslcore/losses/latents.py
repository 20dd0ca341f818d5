"""The loss of a predictor of features.

Source: Assran et al. 2023 (I-JEPA), https://arxiv.org/abs/2301.08243, section 3, whose code takes the smooth
L1 loss (Huber's, with its bend at 1) where the paper writes the squared distance.
"""

from torch import Tensor
from torch.nn import functional

from sslcore.losses.precision import in_fp32

__all__ = ["masked_latents"]


@in_fp32
def masked_latents(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of d^2 / 2 where the difference |d| < 1 and of |d| - 1/2 elsewhere, in fp32.

    Args:
        predictions: Of any shape.
        targets: Of the same; no gradient flows into them.
    """
    return functional.smooth_l1_loss(predictions, targets.detach())
