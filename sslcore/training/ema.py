"""A moving average of weights, as an option for any method."""

import copy

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage(nn.Module):
    """A copy of a module whose parameters follow it slowly; its buffers are the module's latest.

    Source: Polyak and Juditsky 1992; in this exponential form for batch-normalized networks as in Tarvainen
    and Valpola 2017, https://arxiv.org/abs/1703.01780. The decay rises with the steps, min(decay, (1 + n) /
    (10 + n)), so that the random weights of the beginning are soon forgotten.

    Args:
        module: What is averaged.
        decay: Share of the average that stays at each step, in 0..1.
    """

    num_updates: Tensor

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.average = copy.deepcopy(module).requires_grad_(False)
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.int64))
        self._count = -1

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards a module, after the optimizer's step."""
        if self._count < 0:
            self._count = int(self.num_updates)
        decay = min(self.decay, (1 + self._count) / (10 + self._count))
        average: list[Tensor] = list(self.average.parameters())
        latest: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(average, latest, 1 - decay)
        for mine, theirs in zip(self.average.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)
        self._count += 1
        self.num_updates.fill_(self._count)
