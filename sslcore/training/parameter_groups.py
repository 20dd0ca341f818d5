"""Which parameters are decayed, and how fast each layer learns."""

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from sslcore.errors import ConfigError

__all__ = ["layer_depths", "parameter_groups"]

_BLOCK = re.compile(r"(?:^|\.)(?:blocks|layers|stages|features|layer|encoder_layer_)[._]?(\d+)(?=\.|$)")


def parameter_groups(
    module: nn.Module, weight_decay: float, *, lr: float | None = None, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Split parameters: matrices and filters with weight decay, vectors and tokens without.

    Vectors are biases and the scales of norms; tokens are what a transformer adds to or puts beside its
    patches (class, mask and position tokens), stored as [1, N, D]. LARS leaves the ones without decay alone
    too (``adapt`` is false).

    Args:
        module: A method; frozen parameters are left out.
        weight_decay: Of matrices and filters.
        lr: Peak learning rate; only needed with ``layer_decay``.
        layer_decay: In ``module.backbone`` block i of n learns at ``lr * layer_decay ** (n + 1 - i)``, what
            lies before the blocks at ``layer_decay ** (n + 1)``, all else at ``lr``; 1 for all alike. Source:
            Bao et al. 2021 (BEiT), https://arxiv.org/abs/2106.08254.

    Returns:
        Groups for an optimizer: two, or two per depth with ``layer_decay``; groups without parameters are
        left out then.

    Raises:
        ConfigError: If ``layer_decay`` is below 1 and the backbone has no numbered blocks.
    """
    trained = [(name, each) for name, each in module.named_parameters() if each.requires_grad]
    if layer_decay == 1.0:
        decayed = [each for _, each in trained if _is_decayed(each)]
        plain = [each for _, each in trained if not _is_decayed(each)]
        return [
            {"params": decayed, "weight_decay": weight_decay, "adapt": True},
            {"params": plain, "weight_decay": 0.0, "adapt": False},
        ]
    if lr is None:
        raise ValueError("layer_decay needs the learning rate")
    depths, top = layer_depths(module)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, each in trained:
        depth, decayed_too = depths.get(name, top), _is_decayed(each)
        group = groups.setdefault(
            (depth, decayed_too),
            {
                "params": [],
                "lr": lr * layer_decay ** (top - depth),
                "weight_decay": weight_decay if decayed_too else 0.0,
                "adapt": decayed_too,
            },
        )
        group["params"].append(each)
    return [groups[key] for key in sorted(groups)]


def layer_depths(module: nn.Module) -> tuple[dict[str, int], int]:
    """Return how deep the parameters of ``module.backbone`` lie, and the depth of all that comes after.

    0 is what lies before the first block, i is block i.

    Raises:
        ConfigError: If the backbone has no numbered blocks (``blocks.3``, ``layer3``, ``features.3``).
    """
    names = [name for name, _ in module.named_parameters() if name.startswith("backbone.")]
    blocks = {name: int(found.group(1)) for name in names if (found := _BLOCK.search(name))}
    if not blocks:
        raise ConfigError("pretrain.layer_decay needs a backbone with numbered blocks; set it to 1")
    ranks = {number: rank for rank, number in enumerate(sorted(set(blocks.values())), start=1)}
    top = len(ranks) + 1
    first = next(index for index, name in enumerate(names) if name in blocks)
    before = {name: 0 if index < first else top for index, name in enumerate(names)}
    tokens = {name: 0 for name, each in _backbone_parameters(module) if each.ndim == 3}
    return before | tokens | {name: ranks[number] for name, number in blocks.items()}, top


def _backbone_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, each) for name, each in module.named_parameters() if name.startswith("backbone."))


def _is_decayed(parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and not (parameter.ndim == 3 and parameter.shape[0] == 1)
