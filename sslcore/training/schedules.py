"""Learning rate and weight decay from step to step. Epochs become steps here and nowhere else."""

import math
from typing import Protocol

from torch.optim import Optimizer

__all__ = ["Schedule", "cosine_with_warmup", "steps_of"]


class _Progress(Protocol):
    @property
    def step(self) -> int: ...
    @property
    def total_steps(self) -> int: ...
    @property
    def steps_per_epoch(self) -> int: ...


def steps_of(epochs: float, steps_per_epoch: int) -> int:
    """Turn epochs into steps."""
    return round(epochs * steps_per_epoch)


def cosine_with_warmup(step: int, *, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the peak learning rate at a step: a linear rise, then half a cosine down to 0.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983; warm-up as in Goyal et al. 2017.

    Args:
        step: 0 .. total_steps - 1.
        total_steps: Steps of the run.
        warmup_steps: Steps of the rise; step 0 has 1 / warmup_steps of the peak.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Schedule:
    """Sets each parameter group's learning rate and weight decay before a step.

    A function of the step alone, so there is nothing to save.

    Args:
        optimizer: With the peak learning rate and the weight decay at factor 1 in its groups.
        warmup_epochs: Epochs in which the learning rate rises; at most a tenth of the run.
    """

    def __init__(self, optimizer: Optimizer, *, warmup_epochs: float = 0) -> None:
        self.warmup_epochs = warmup_epochs
        self._peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self._decays = [float(group.get("weight_decay", 0.0)) for group in optimizer.param_groups]

    def share(self, progress: _Progress) -> float:
        """Return the share of the peak learning rate at a step."""
        longest = progress.total_steps / 10 / progress.steps_per_epoch
        warmup = steps_of(min(self.warmup_epochs, longest), progress.steps_per_epoch)
        return cosine_with_warmup(progress.step, total_steps=progress.total_steps, warmup_steps=warmup)

    def apply(self, optimizer: Optimizer, progress: _Progress, weight_decay_factor: float = 1.0) -> None:
        """Write the values of a step into the groups of the optimizer it was made for."""
        share = self.share(progress)
        for group, peak, decay in zip(optimizer.param_groups, self._peaks, self._decays, strict=True):
            group["lr"] = peak * share
            if "weight_decay" in group:
                group["weight_decay"] = decay * weight_decay_factor
