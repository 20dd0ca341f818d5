"""What a loss needs of the other processes: their rows, and sums over all rows.

The convention, here and in every loss: each process computes a loss of its own rows (or the same loss of
all rows) and ``DistributedDataParallel`` averages the gradients. So the gradient of the whole is that of the
mean of the processes' losses, and what flows back through a gathered or summed tensor is the sum over all
processes. The result is then that of one process with the whole batch, which
`tests/sslcore/methods/test_distributed.py` shows.

Without a process group all functions return what they are given.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = ["gather", "max_over_ranks", "mean_over_ranks", "rank", "sum_over_ranks", "world_size"]


def world_size() -> int:
    """Return how many processes train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0; 0 without a process group."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather(x: Tensor) -> Tensor:
    """Put the rows of all processes together.

    Args:
        x: [N, ...], N the same in all processes.

    Returns:
        [world_size * N, ...] in the order of the ranks, the same everywhere. Each process gets back the
        gradients of its own rows, summed over all processes.
    """
    return x if world_size() == 1 else cast(Tensor, _Gather.apply(x))


def sum_over_ranks(x: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes; gradients are summed over them too."""
    return x if world_size() == 1 else cast(Tensor, _Sum.apply(x))


def mean_over_ranks(x: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes, with the gradient of that mean."""
    return sum_over_ranks(x) / world_size()


def max_over_ranks(x: Tensor) -> Tensor:
    """Return the elementwise maximum of a tensor over all processes, without gradient."""
    greatest = x.detach().clone()
    if world_size() > 1:
        dist.all_reduce(greatest, op=dist.ReduceOp.MAX)
    return greatest


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        own = x.contiguous()
        parts = [torch.empty_like(own) for _ in range(world_size())]
        dist.all_gather(parts, own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _summed(grads[0]).chunk(world_size())[rank()]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _summed(grads[0])


def _summed(x: Tensor) -> Tensor:
    total = x.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total
