"""Self-supervised methods, one file each, by name."""

from collections.abc import Mapping

from sslcore.methods.dino import DINO, DINOOptions
from sslcore.methods.dinov2 import DINOv2, DINOv2Options
from sslcore.methods.ibot import IBOT, IBOTOptions
from sslcore.methods.ijepa import IJEPA, IJEPAOptions
from sslcore.methods.lejepa import LeJEPA, LeJEPAOptions
from sslcore.methods.mae import MAE, MAEOptions
from sslcore.methods.method import Method, Progress
from sslcore.methods.msn import MSN, MSNOptions
from sslcore.methods.pmsn import PMSN, PMSNOptions
from sslcore.methods.simclr import SimCLR, SimCLROptions
from sslcore.methods.simmim import SimMIM, SimMIMOptions

__all__ = [
    "DINO",
    "IBOT",
    "IJEPA",
    "MAE",
    "METHODS",
    "MSN",
    "PMSN",
    "DINOOptions",
    "DINOv2",
    "DINOv2Options",
    "IBOTOptions",
    "IJEPAOptions",
    "LeJEPA",
    "LeJEPAOptions",
    "MAEOptions",
    "MSNOptions",
    "Method",
    "PMSNOptions",
    "Progress",
    "SimCLR",
    "SimCLROptions",
    "SimMIM",
    "SimMIMOptions",
    "method_class",
]

_CLASSES: Mapping[str, type[Method]] = {
    each.name: each for each in (SimCLR, DINO, MSN, PMSN, IBOT, DINOv2, MAE, SimMIM, IJEPA, LeJEPA)
}

METHODS: Mapping[str, str] = {name: each.summary for name, each in _CLASSES.items()}
"""A line on each, with its source."""


def method_class(name: str) -> type[Method]:
    """Return the class of a method in METHODS."""
    return _CLASSES[name]
