"""Negative cosine similarity to a target that takes no gradient.

Source: Chen and He 2020 (SimSiam), https://arxiv.org/abs/2011.10566, equation 1; BYOL's loss (Grill et al.
2020, https://arxiv.org/abs/2006.07733, equation 2) is 2 plus twice this.
"""

from torch import Tensor
from torch.nn import functional

from sslcore.losses.precision import in_fp32

__all__ = ["negative_cosine"]


@in_fp32
def negative_cosine(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return minus the mean cosine similarity of rows, in fp32: -1 where all agree.

    Args:
        predictions: [N, D], any length.
        targets: [N, D], any length; no gradient flows into them.
    """
    return -functional.cosine_similarity(predictions, targets.detach(), dim=1).mean()
