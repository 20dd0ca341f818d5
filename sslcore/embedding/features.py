"""Which features of a network are taken: pooled, tokens of a transformer, or what named layers give."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sslcore.backbones import ModelInfo
from sslcore.backbones.tokens import require_tokens
from sslcore.choices import suggestion
from sslcore.errors import ConfigError

__all__ = ["LAYERS", "feature_dim", "feature_function"]

LAYERS = "layers:"
"""What stands before names of layers."""

Features = Callable[[Tensor], Tensor]


def feature_function(backbone: nn.Module, features: str) -> Features:
    """Return a function from normalized images [B, C, H, W] to features [B, D].

    Args:
        backbone: In evaluation mode.
        features: ``pooled``, what the network returns; ``cls``, ``patch_mean`` or ``patches`` (all patch
            tokens, one after the other, row by row), of a network with tokens; or ``layers:NAME,NAME``, the
            outputs of its child modules averaged over places or tokens and put side by side.

    Raises:
        ConfigError: If the network has no such features.
    """
    if features == "pooled":
        return backbone
    if features.startswith(LAYERS):
        return _of_layers(backbone, features.removeprefix(LAYERS).split(","))
    return _of_tokens(backbone, features)


def feature_dim(backbone: nn.Module, info: ModelInfo, features: str, device: torch.device) -> int:
    """Return the length D of the features, by a dry run.

    Raises:
        ConfigError: If the network has no such features.
    """
    backbone.eval()
    shape = (2, info.num_channels, info.image_size, info.image_size)
    with torch.inference_mode():
        return int(feature_function(backbone, features)(torch.zeros(shape, device=device)).shape[1])


def _of_tokens(backbone: nn.Module, features: str) -> Features:
    network = require_tokens(backbone, f"embed.features: {features}")
    prefix = network.num_prefix_tokens
    if features == "cls":
        if prefix == 0:
            raise ConfigError("embed.features: cls, but the network has no CLS token; take patch_mean")
        return lambda images: network.forward_tokens(images)[:, 0]
    if features == "patch_mean":
        return lambda images: network.forward_tokens(images)[:, prefix:].mean(dim=1)
    return lambda images: network.forward_tokens(images)[:, prefix:].flatten(1)


def _of_layers(backbone: nn.Module, names: list[str]) -> Features:
    modules = dict(backbone.named_modules())
    del modules[""]
    for name in names:
        if name not in modules:
            some = ", ".join(child for child, _ in backbone.named_children())
            hint = suggestion(name, modules) or f"; it has {some}, and what is in them"
            raise ConfigError(f"embed.features: the network has no layer '{name}'{hint}")

    def run(images: Tensor) -> Tensor:
        with _outputs([modules[name] for name in names]) as given:
            backbone(images)
        return torch.cat([_pooled(each, name) for each, name in zip(given, names, strict=True)], dim=1)

    return run


@contextmanager
def _outputs(modules: list[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect the outputs of modules during a forward pass, in the order of ``modules``."""
    given: list[Tensor] = [torch.empty(0)] * len(modules)

    def keep(place: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            given[place] = output

        return hook

    handles = [module.register_forward_hook(keep(place)) for place, module in enumerate(modules)]
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


def _pooled(output: Tensor, name: str) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4):
        raise ConfigError(f"embed.features: layer '{name}' gives no [B, D], [B, N, D] or [B, D, h, w]")
    if output.ndim == 4:
        return output.mean(dim=(2, 3))
    return output.mean(dim=1) if output.ndim == 3 else output
