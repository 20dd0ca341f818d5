"""Self-supervised methods, one file each, by name."""

from collections.abc import Mapping

from sslcore.methods.method import Method, Progress
from sslcore.methods.simclr import SimCLR, SimCLROptions

__all__ = ["METHODS", "Method", "Progress", "SimCLR", "SimCLROptions", "method_class"]

_CLASSES: Mapping[str, type[Method]] = {each.name: each for each in (SimCLR,)}

METHODS: Mapping[str, str] = {name: each.summary for name, each in _CLASSES.items()}
"""A line on each, with its source."""


def method_class(name: str) -> type[Method]:
    """Return the class of a method in METHODS."""
    return _CLASSES[name]
