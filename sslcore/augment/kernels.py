"""Compiled operations of views, where there are any for a batch."""

from typing import Any

import torch
from torch import Tensor

from sslcore.compiled import compiled

__all__ = ["view_kernels"]


def view_kernels(images: Tensor) -> Any:
    """Return `sslcore.compiled.views` if these images can be given to it, else None."""
    fits = images.device.type == "cpu" and images.dtype in (torch.uint8, torch.float32)
    return compiled("views") if fits and not images.requires_grad else None
