"""Self-supervised methods, one file each, by name."""

import importlib
from collections.abc import Mapping
from typing import Any

from sslcore.methods.simclr import SimCLR, SimCLROptions

__all__ = ["METHODS", "SimCLR", "SimCLROptions", "method_class"]

METHODS: Mapping[str, str] = {
    "simclr": "two views attract, other images repel; Chen et al. 2020, https://arxiv.org/abs/2002.05709",
}
_CLASSES = {"simclr": "SimCLR"}


def method_class(name: str) -> Any:
    """Return the class of a method in METHODS."""
    return getattr(importlib.import_module(f"sslcore.methods.{name}"), _CLASSES[name])
