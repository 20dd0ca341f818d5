"""Optimizers by name; biases and norms are not decayed."""

import torch
from torch import nn

from sslcore.choices import check_choice

__all__ = ["build_optimizer", "parameter_groups"]

OPTIMIZERS = ("adamw", "sgd")


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Split parameters: matrices and filters with weight decay, vectors (biases, norms) without."""
    parameters = [each for each in module.parameters() if each.requires_grad]
    return [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": weight_decay},
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
    ]


def build_optimizer(name: str, module: nn.Module, *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Build ``sgd`` (momentum 0.9) or ``adamw`` over a module's parameters, fused on a GPU.

    Raises:
        ConfigError: If the name is unknown.
    """
    check_choice(name, OPTIMIZERS, name="pretrain.optimizer")
    groups = parameter_groups(module, weight_decay)
    fused = all(each.is_cuda for each in module.parameters())
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=0.9, fused=fused)
    return torch.optim.AdamW(groups, lr=lr, fused=fused)
