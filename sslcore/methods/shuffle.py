"""Shuffled batch norm: keys are encoded in other company than their queries.

Source: He et al. 2019 (MoCo), https://arxiv.org/abs/1911.05722, section 3.3. Where a query and its key are
normalized with statistics of the same samples, these give away which belong together, and the network need
not learn anything else.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch import distributed as dist

from sslcore.distributed import gather, rank, world_size

__all__ = ["encode_shuffled"]


@torch.no_grad()
def encode_shuffled(
    encode: Callable[[Tensor], tuple[Tensor, ...]], images: Tensor, *, num_groups: int
) -> tuple[Tensor, ...]:
    """Encode images in groups drawn at random from those of all processes.

    Args:
        encode: From [B, C, H, W] to tensors with B rows.
        images: Of this process, [N, C, H, W].
        num_groups: In how many groups the images of all processes are encoded; each process has at least one,
            and a group has at least two images.

    Returns:
        What ``encode`` returns, in the order of ``images``.
    """
    count, ranks = len(images), world_size()
    here = max(1, min(num_groups // ranks, count // 2))
    if here * ranks == 1:
        return encode(images)
    order = torch.randperm(count * ranks, device=images.device)
    if ranks > 1:
        dist.broadcast(order, src=0)
    taken = gather(images)[order.chunk(ranks)[rank()]]
    encoded = [encode(group) for group in taken.tensor_split(here)]
    home = order.argsort()[rank() * count : (rank() + 1) * count]
    return tuple(gather(torch.cat(parts))[home] for parts in zip(*encoded, strict=True))
