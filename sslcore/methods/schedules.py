"""What methods schedule and how they treat gradients, shared by those that follow DINO."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sslcore.methods.method import Progress

__all__ = ["clip_each", "cosine_between", "frozen_at_first", "linear_lr", "set_drop_path", "warmed_up"]

WARMUP_SHARE = 0.3
"""A warm-up in epochs, meant for runs of 100 and more, takes at most this share of a shorter run."""


def cosine_between(progress: Progress, start: float, end: float) -> float:
    """Return half a cosine from ``start`` at the first step to ``end`` at the last."""
    return end - (end - start) * (math.cos(math.pi * progress.fraction) + 1) / 2


def warmed_up(progress: Progress, start: float, end: float, epochs: float) -> float:
    """Return a line from ``start`` to ``end`` in so many epochs, or in three tenths of a shorter run."""
    steps = min(epochs * progress.steps_per_epoch, WARMUP_SHARE * progress.total_steps)
    share = min(1.0, progress.step / steps) if steps > 0 else 1.0
    return start + (end - start) * share


def frozen_at_first(module: nn.Module, progress: Progress, epochs: float) -> None:
    """Drop a module's gradients in the first epochs, so that no optimizer moves or decays it."""
    if progress.epoch < epochs:
        for parameter in module.parameters():
            parameter.grad = None


@torch.no_grad()
def clip_each(parameters: Iterable[Tensor], max_norm: float) -> None:
    """Scale each parameter's gradient by itself to a length of at most ``max_norm``; 0 clips nothing.

    As DINO's code does, other than `torch.nn.utils.clip_grad_norm_`, which looks at all of them together.
    """
    gradients = [each.grad for each in parameters if each.grad is not None]
    if max_norm > 0 and gradients:
        norms = torch.stack(torch._foreach_norm(gradients))
        factors = (max_norm / (norms + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(gradients, list(factors.unbind()))


def set_drop_path(backbone: nn.Module, rate: float) -> None:
    """Set a backbone's chance of skipping branches in training, if it is one that can."""
    setter = getattr(backbone, "set_drop_path", None)
    if setter is not None:
        setter(rate)


def linear_lr(optimizer: str, batch_size: int, *, adamw: float) -> float:
    """Scale a peak learning rate with the batch size, of which 256 is the unit.

    Args:
        optimizer: ``adamw`` takes the paper's; ``lars`` 0.3 and ``sgd`` 0.03, DINO's for a ResNet-50.
        batch_size: Of all processes together.
        adamw: The paper's, for 256.
    """
    return {"adamw": adamw, "lars": 0.3}.get(optimizer, 0.03) * batch_size / 256
