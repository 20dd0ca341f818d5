"""Optimizers by name: PyTorch's own and LARS."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sslcore.choices import check_choice, suggestion
from sslcore.errors import ConfigError
from sslcore.training.lars import LARS
from sslcore.training.parameter_groups import parameter_groups

__all__ = ["OPTIMIZERS", "build_optimizer", "parameter_groups"]

# One needs a closure, one sparse gradients, one matrices only.
_UNFIT = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}

OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    **{
        name.lower(): each
        for name, each in sorted(vars(torch.optim).items())
        if isinstance(each, type) and issubclass(each, Optimizer) and name not in _UNFIT
    },
    "lars": LARS,
}
"""Those there are, by the name of their class in lower case."""

_OURS: Mapping[str, Mapping[str, Any]] = {"sgd": {"momentum": 0.9}}
"""Where the field's default is not PyTorch's."""

_SET_ELSEWHERE = ("self", "params", "lr", "weight_decay", "fused", "foreach", "adapt")


def build_optimizer(
    name: str,
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    options: Mapping[str, Any] | None = None,
) -> Optimizer:
    """Build an optimizer over a module's parameters, fused where it can be.

    Args:
        name: One of OPTIMIZERS; ``sgd`` has momentum 0.9.
        module: A method.
        lr: Peak learning rate.
        weight_decay: Of matrices and filters; biases, norms and tokens have none.
        layer_decay: See `parameter_groups`.
        options: Further arguments of the optimizer's class.

    Raises:
        ConfigError: If the name or an option is unknown, or a value is out of range.
    """
    cls = OPTIMIZERS[check_choice(name, OPTIMIZERS, name="pretrain.optimizer")]
    accepted = inspect.signature(cls.__init__).parameters
    given = {**_OURS.get(name, {}), **(options or {})}
    known = [each for each in accepted if each not in _SET_ELSEWHERE]
    for option in given:
        if option not in known:
            hint = suggestion(option, known) or "; known: " + ", ".join(known)
            raise ConfigError(f"pretrain.optimizer_options: {name} has no option '{option}'{hint}")
    if "weight_decay" not in accepted and weight_decay > 0:
        raise ConfigError(f"pretrain.optimizer: {name} has no weight decay; set pretrain.weight_decay to 0")
    if "fused" in accepted and _can_be_fused(module):
        given["fused"] = True
    groups = parameter_groups(module, weight_decay, lr=lr, layer_decay=layer_decay)
    try:
        return cls(groups, lr=lr, **given)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"pretrain.optimizer_options: {name}: {str(error).splitlines()[0]}") from None


def _can_be_fused(module: nn.Module) -> bool:
    return all(each.device.type in ("cpu", "cuda") for each in module.parameters())
