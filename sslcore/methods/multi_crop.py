"""Several views of different sizes through one network, those of a size together.

Source: Caron et al. 2020 (SwAV), https://arxiv.org/abs/2006.09882, section 3.2.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor

__all__ = ["encode_by_size"]


def encode_by_size(encode: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> list[Tensor]:
    """Run neighbouring views of the same size through a network as one batch.

    Args:
        encode: From [B, C, h, w] to [B, ...].
        views: Each [B, C, h, w], with a size of its own.

    Returns:
        What comes out for each view, [B, ...].
    """
    encoded: list[Tensor] = []
    for _, group in groupby(views, key=lambda view: view.shape[-2:]):
        same_size = list(group)
        encoded += encode(torch.cat(same_size)).chunk(len(same_size))
    return encoded
