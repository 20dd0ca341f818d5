"""KoLeo: spread the features of a batch out, each away from its nearest neighbour.

Source: Sablayrolles et al. 2019, https://arxiv.org/abs/1806.03198, equation 4, as used by DINOv2 (Oquab et
al. 2023, https://arxiv.org/abs/2304.07193, section 4).
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["koleo"]


@in_fp32
def koleo(features: Tensor, *, epsilon: float = 1e-8) -> Tensor:
    """Return the mean of minus the logarithm of the distance to the nearest neighbour, in fp32.

    With several processes neighbours are those of the same process, as published: the estimate is of the
    batch that one process has.

    Args:
        features: [N, D] of any length, N >= 2, one view of each image; they are normalized here.
        epsilon: Added to the distance, which is 0 for equal rows.

    Returns:
        A scalar.

    Raises:
        ConfigError: If there are fewer than two rows.
    """
    if len(features) < 2:
        raise ConfigError(f"KoLeo needs at least 2 samples in a process's batch, got {len(features)}")
    unit = functional.normalize(features, dim=1, eps=epsilon)
    with torch.no_grad():
        nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(dim=1)
    distance = functional.pairwise_distance(unit, unit[nearest], eps=epsilon)
    return -(distance + epsilon).log().mean()
