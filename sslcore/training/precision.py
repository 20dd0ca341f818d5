"""Arithmetic of a step: autocast, and a scaled loss where fp16 needs one."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["Precision"]


class Precision:
    """How a step computes.

    Args:
        dtype: float32 for no autocast, bfloat16, or float16 (the loss is then scaled by GradScaler).
        device: Where.
    """

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.dtype = dtype
        self.device = device
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)

    def autocast(self) -> torch.autocast:
        """Return the context in which views go through a method."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    def backward(self, loss: Tensor) -> None:
        """Compute gradients, scaled for fp16.

        A loss that is not finite makes every gradient NaN: in each process, once they are averaged, and even
        where an operation would have stopped it.
        """
        one_or_nan = torch.where(torch.isfinite(loss.detach()), 1.0, torch.nan)
        self.scaler.scale(loss * one_or_nan).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the scale of the loss."""
        if self.scaler.is_enabled():
            self.scaler.unscale_(optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Return the scaler's state; empty if there is none."""
        return self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with a scaler's state."""
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state)
