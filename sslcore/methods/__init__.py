"""Self-supervised methods, one file each, by name."""

from collections.abc import Mapping

from sslcore.methods.barlow_twins import BarlowTwins, BarlowTwinsOptions
from sslcore.methods.byol import BYOL, BYOLOptions
from sslcore.methods.dcl import DCL, DCLW, DCLOptions, DCLWOptions
from sslcore.methods.densecl import DenseCL, DenseCLOptions
from sslcore.methods.fastsiam import FastSiam
from sslcore.methods.method import Method, Progress
from sslcore.methods.moco_v2 import MoCoV2, MoCoV2Options
from sslcore.methods.moco_v3 import MoCoV3, MoCoV3Options
from sslcore.methods.nnclr import NNCLR, NNCLROptions
from sslcore.methods.simclr import SimCLR, SimCLROptions
from sslcore.methods.simsiam import SimSiam, SimSiamOptions
from sslcore.methods.smog import SMoG, SMoGOptions
from sslcore.methods.swav import SwAV, SwAVOptions
from sslcore.methods.tico import TiCo, TiCoOptions
from sslcore.methods.vicreg import VICReg, VICRegOptions
from sslcore.methods.vicregl import VICRegL, VICRegLOptions

__all__ = [
    "BYOL",
    "DCL",
    "DCLW",
    "METHODS",
    "NNCLR",
    "BYOLOptions",
    "BarlowTwins",
    "BarlowTwinsOptions",
    "DCLOptions",
    "DCLWOptions",
    "DenseCL",
    "DenseCLOptions",
    "FastSiam",
    "Method",
    "MoCoV2",
    "MoCoV2Options",
    "MoCoV3",
    "MoCoV3Options",
    "NNCLROptions",
    "Progress",
    "SMoG",
    "SMoGOptions",
    "SimCLR",
    "SimCLROptions",
    "SimSiam",
    "SimSiamOptions",
    "SwAV",
    "SwAVOptions",
    "TiCo",
    "TiCoOptions",
    "VICReg",
    "VICRegL",
    "VICRegLOptions",
    "VICRegOptions",
    "method_class",
]

_CLASSES: Mapping[str, type[Method]] = {
    each.name: each
    for each in (
        SimCLR,
        DCL,
        DCLW,
        MoCoV2,
        MoCoV3,
        NNCLR,
        BYOL,
        SimSiam,
        FastSiam,
        BarlowTwins,
        VICReg,
        TiCo,
        SwAV,
        SMoG,
        DenseCL,
        VICRegL,
    )
}

METHODS: Mapping[str, str] = {name: each.summary for name, each in _CLASSES.items()}
"""A line on each, with its source."""


def method_class(name: str) -> type[Method]:
    """Return the class of a method in METHODS."""
    return _CLASSES[name]
