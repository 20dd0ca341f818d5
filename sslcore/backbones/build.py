"""Backbones by name: torchvision's networks without their classifier, and variants for small images."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torchvision
from torch import Tensor, nn

from sslcore.backbones.timm_models import CREATE_MODEL, build_timm, describe_timm
from sslcore.backbones.vit import TIMM_VIT, VIT_BACKBONES, VisionTransformer, vit_kwargs
from sslcore.backbones.weights import load_weights
from sslcore.choices import check_choice
from sslcore.errors import ConfigError

__all__ = [
    "BACKBONES",
    "Architecture",
    "build_architecture",
    "build_backbone",
    "describe_architecture",
    "is_factory",
]

RESNET = "He et al. 2016, https://arxiv.org/abs/1512.03385"
BACKBONES: Mapping[str, str] = {
    "resnet10-small": f"4.9M, one block per stage, 3x3 stem with stride 2, for 32 to 96 pixels; {RESNET}",
    "resnet18-small": f"11.2M, 3x3 stem without stride or pooling, for 32 pixels; {RESNET}, section 4.2",
    "resnet34-small": f"21.3M, the same stem; {RESNET}, section 4.2",
    "resnet50-small": f"23.5M, the same stem; {RESNET}, section 4.2",
    "resnet18": f"11.2M, torchvision; {RESNET}",
    "resnet34": f"21.3M, torchvision; {RESNET}",
    "resnet50": f"23.5M, torchvision; {RESNET}",
    **VIT_BACKBONES,
}
"""The named ones. Every other classification network of torchvision works by its name there too, every one of
timm's as ``timm:NAME``, and ``package.module:factory``, a callable that returns a module from [B, 3, H, W] to
[B, D]."""

TIMM = "timm:"
IDENTITY = {"class": "torch.nn.Identity", "kwargs": {}}


@dataclass(frozen=True)
class Architecture:
    """How to build a network with torchvision or timm: call ``cls(**kwargs)``, then replace the ``edits``."""

    cls: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)


def build_backbone(
    name: str, *, image_size: int, seed: int | None = None, weights: str | Path | None = None
) -> nn.Module:
    """Build a backbone.

    Args:
        name: One of BACKBONES, any classification network of torchvision, ``timm:NAME``, or
            ``package.module:factory``.
        image_size: Side of the images in pixels; networks with fixed positions are built for it.
        seed: Of the weights; None takes the current state of torch's generator.
        weights: To start from instead of random ones; see load_weights.

    Returns:
        A module from normalized float [B, 3, H, W] to features [B, D], with D as its ``embed_dim``.

    Raises:
        ConfigError: If the name is unknown or what it names is no such network.
        UserError: If the weights cannot be had or do not fit.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        if is_factory(name):
            module = _from_factory(name)
        elif name.startswith("vit-"):
            module = VisionTransformer(**vit_kwargs(name, image_size=image_size))
        else:
            module = build_architecture(describe_architecture(name, image_size=image_size))
    module.embed_dim = _embed_dim(module, name, image_size)  # type: ignore[assignment]
    if weights is not None:
        classifiers = () if is_factory(name) or name.startswith("vit-") else _classifiers(name, image_size)
        load_weights(module, weights, backbone=name, classifiers=classifiers)
    return module


def is_factory(name: str) -> bool:
    """Say whether a name is ``package.module:factory``."""
    return ":" in name and not name.startswith(TIMM)


def _classifiers(name: str, image_size: int) -> tuple[str, ...]:
    """Return the parts of a published network that its backbone has no weights for."""
    edits = describe_architecture(name, image_size=image_size).edits
    parts = tuple(place for place, made in edits.items() if made == IDENTITY)
    return ("fc", "head", "head.fc", "classifier") if name.startswith(TIMM) else parts


def describe_architecture(name: str, *, image_size: int) -> Architecture:
    """Return how a named backbone is built with torchvision or timm alone.

    Raises:
        ConfigError: If there is no such network.
    """
    if name.startswith(TIMM):
        return Architecture(CREATE_MODEL, describe_timm(name.removeprefix(TIMM), image_size=image_size))
    if name == "resnet10-small":
        kwargs: dict[str, Any] = {"block": "torchvision.models.resnet.BasicBlock", "layers": [1, 1, 1, 1]}
        return Architecture("torchvision.models.resnet.ResNet", kwargs, _small_stem(stride=2))
    base, _, variant = name.partition("-")
    if variant == "small" and base in ("resnet18", "resnet34", "resnet50"):
        return Architecture(f"torchvision.models.{base}", {}, _small_stem(stride=1))
    if name.startswith("vit-"):
        with torch.device("meta"):
            made = VisionTransformer(**vit_kwargs(name, image_size=image_size))
        return Architecture(TIMM_VIT, made.timm_kwargs())
    known = torchvision.models.list_models(module=torchvision.models)
    check_choice(name, {*known, *BACKBONES}, name="backbone")
    kwargs = {"image_size": image_size} if name.startswith("vit_") else {}
    module = cast(nn.Module, torchvision.models.get_model(name, weights=None, **kwargs))
    classifier = [each for each, child in module.named_modules() if isinstance(child, nn.Linear)][-1]
    builder = torchvision.models.get_model_builder(name)
    return Architecture(f"torchvision.models.{builder.__name__}", kwargs, {classifier: IDENTITY})


def _small_stem(stride: int) -> dict[str, dict[str, Any]]:
    kwargs = {
        "in_channels": 3,
        "out_channels": 64,
        "kernel_size": 3,
        "stride": stride,
        "padding": 1,
        "bias": False,
    }
    return {"conv1": {"class": "torch.nn.Conv2d", "kwargs": kwargs}, "maxpool": IDENTITY, "fc": IDENTITY}


def build_architecture(architecture: Architecture) -> nn.Module:
    """Build the network that an Architecture describes, with random weights."""
    if architecture.cls == TIMM_VIT:
        return VisionTransformer.from_timm_kwargs(architecture.kwargs)
    if architecture.cls == CREATE_MODEL:
        return build_timm(architecture.kwargs)
    kwargs = {key: _named(value) if key == "block" else value for key, value in architecture.kwargs.items()}
    module = cast(nn.Module, _named(architecture.cls)(**kwargs))
    for place, made in architecture.edits.items():
        module.set_submodule(place, _named(made["class"])(**made["kwargs"]))
    return module


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not path.startswith(("torch.nn.", "torchvision.models.")):
        raise ConfigError(
            f"architecture names {path}; only networks of torchvision and timm are built from a file"
        )
    return getattr(importlib.import_module(module), name)


def _from_factory(name: str) -> nn.Module:
    package, _, factory = name.partition(":")
    try:
        made = getattr(importlib.import_module(package), factory)()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"backbone {name} cannot be imported: {error}") from None
    if not isinstance(made, nn.Module):
        raise ConfigError(f"backbone {name} must return an nn.Module, got {type(made).__name__}")
    return made


def _embed_dim(module: nn.Module, name: str, image_size: int) -> int:
    """Find the width of the features by a dry run."""
    training = module.training
    module.eval()
    with torch.no_grad():
        features: Tensor = module(torch.zeros(2, 3, image_size, image_size))
    module.train(training)
    if not isinstance(features, Tensor) or features.ndim != 2 or features.shape[0] != 2:
        shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ConfigError(f"backbone {name} must map [2, 3, H, W] to [2, D], got {shape}")
    return int(features.shape[1])
