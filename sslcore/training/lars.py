"""LARS: SGD with momentum whose step is, for each layer, in proportion to the norm of its weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sslcore.errors import ConfigError

__all__ = ["LARS"]


class LARS(Optimizer):
    """Layer-wise adaptive rate scaling, for batches of thousands.

    Source: You, Gitman, Ginsburg 2017, https://arxiv.org/abs/1708.03888, in the form that SimCLR, BYOL and
    Barlow Twins train with: with g = gradient + weight_decay * w,

        ratio = trust * |w| / |g|  (1 where either norm is 0),   v = momentum * v + ratio * g,   w = w - lr
        * v.

    Differs from the paper: the denominator is |gradient + weight_decay * w| and not |gradient| +
    weight_decay * |w|, and the learning rate multiplies the momentum, so a schedule acts at once. A group
    with ``adapt`` false (biases and norms) has ratio 1.

    Args:
        params: Parameters or groups; ``adapt`` in a group says whether the ratio is used.
        lr: Learning rate; > 0.
        momentum: In 0..1.
        weight_decay: Added to the gradient.
        trust: The factor of the ratio.
        adapt: Default of the groups.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 0.1,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        adapt: bool = True,
    ) -> None:
        if lr < 0 or not 0 <= momentum < 1 or weight_decay < 0 or trust <= 0:
            raise ConfigError(
                "LARS needs lr >= 0, momentum in 0..1, weight_decay >= 0 and trust > 0, "
                f"got {lr}, {momentum}, {weight_decay}, {trust}"
            )
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "trust": trust, "adapt": adapt})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step; nothing is read back to the host."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [each for each in group["params"] if each.grad is not None]
            if weights:
                self._step_group(group, weights)
        return loss

    def _step_group(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        grads = [each.grad for each in weights if each.grad is not None]
        if group["weight_decay"]:
            updates = list(torch._foreach_add(grads, weights, alpha=group["weight_decay"]))
        else:
            updates = [each.clone() for each in grads]
        if group["adapt"]:
            torch._foreach_mul_(updates, _ratios(weights, updates, group["trust"]))
        velocities = []
        for weight in weights:
            state = self.state[weight]
            if "velocity" not in state:
                state["velocity"] = torch.zeros_like(weight)
            velocities.append(state["velocity"])
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, updates)
        torch._foreach_add_(weights, velocities, alpha=-group["lr"])


def _ratios(weights: list[Tensor], updates: list[Tensor], trust: float) -> list[Tensor]:
    """Return the scalars that updates are multiplied by, on their device."""
    pairs = zip(torch._foreach_norm(weights), torch._foreach_norm(updates), strict=True)
    return [
        torch.where((weight > 0) & (update > 0), trust * weight / update, torch.ones_like(weight))
        for weight, update in pairs
    ]
