"""A teacher that is the moving average of its student.

Source: He et al. 2019, https://arxiv.org/abs/1911.05722, equation 2; with the schedule of Grill et al. 2020,
https://arxiv.org/abs/2006.07733, section 3.2. Buffers (the statistics of batch norm) are copied: a teacher
that keeps those it was built with is not the network whose weights it averages once it is in evaluation mode.
"""

import copy
import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from sslcore.methods.method import Progress

__all__ = ["cosine_momentum", "momentum_copy", "update_momentum"]

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def momentum_copy(module: AnyModule) -> AnyModule:
    """Return a copy of a module that takes no gradients; `update_momentum` moves it."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def update_momentum(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move a copy towards its original: ``teacher = momentum * teacher + (1 - momentum) * student``.

    Args:
        teacher: From `momentum_copy`; its parameters move, its buffers become the student's.
        student: The original.
        momentum: 0 copies the student, 1 keeps the teacher's parameters.

    Raises:
        ValueError: If the momentum is not in 0..1.
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum must be in 0..1, got {momentum}")
    moved: list[Tensor] = list(teacher.parameters())
    if moved:
        torch._foreach_lerp_(moved, list[Tensor](student.parameters()), 1 - momentum)
    for mine, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
        mine.copy_(theirs)


def cosine_momentum(progress: Progress, start: float, end: float = 1.0) -> float:
    """Return the momentum at a step: half a cosine from ``start`` at the first to ``end`` at the last."""
    return end - (end - start) * (math.cos(math.pi * progress.fraction) + 1) / 2
