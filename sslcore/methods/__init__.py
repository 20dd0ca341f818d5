"""Self-supervised methods, one file each, by name."""

from collections.abc import Mapping

from sslcore.methods.barlow_twins import BarlowTwins, BarlowTwinsOptions
from sslcore.methods.byol import BYOL, BYOLOptions
from sslcore.methods.dcl import DCL, DCLW, DCLOptions, DCLWOptions
from sslcore.methods.densecl import DenseCL, DenseCLOptions
from sslcore.methods.dino import DINO, DINOOptions
from sslcore.methods.dinov2 import DINOv2, DINOv2Options
from sslcore.methods.fastsiam import FastSiam
from sslcore.methods.ibot import IBOT, IBOTOptions
from sslcore.methods.ijepa import IJEPA, IJEPAOptions
from sslcore.methods.lejepa import LeJEPA, LeJEPAOptions
from sslcore.methods.mae import MAE, MAEOptions
from sslcore.methods.method import Method, Progress
from sslcore.methods.moco_v2 import MoCoV2, MoCoV2Options
from sslcore.methods.moco_v3 import MoCoV3, MoCoV3Options
from sslcore.methods.msn import MSN, MSNOptions
from sslcore.methods.nnclr import NNCLR, NNCLROptions
from sslcore.methods.pmsn import PMSN, PMSNOptions
from sslcore.methods.simclr import SimCLR, SimCLROptions
from sslcore.methods.simmim import SimMIM, SimMIMOptions
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
    "DINO",
    "IBOT",
    "IJEPA",
    "MAE",
    "METHODS",
    "MSN",
    "NNCLR",
    "PMSN",
    "BYOLOptions",
    "BarlowTwins",
    "BarlowTwinsOptions",
    "DCLOptions",
    "DCLWOptions",
    "DINOOptions",
    "DINOv2",
    "DINOv2Options",
    "DenseCL",
    "DenseCLOptions",
    "FastSiam",
    "IBOTOptions",
    "IJEPAOptions",
    "LeJEPA",
    "LeJEPAOptions",
    "MAEOptions",
    "MSNOptions",
    "Method",
    "MoCoV2",
    "MoCoV2Options",
    "MoCoV3",
    "MoCoV3Options",
    "NNCLROptions",
    "PMSNOptions",
    "Progress",
    "SMoG",
    "SMoGOptions",
    "SimCLR",
    "SimCLROptions",
    "SimMIM",
    "SimMIMOptions",
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
        DINO,
        MSN,
        PMSN,
        IBOT,
        DINOv2,
        MAE,
        SimMIM,
        IJEPA,
        LeJEPA,
    )
}

METHODS: Mapping[str, str] = {name: each.summary for name, each in _CLASSES.items()}
"""A line on each, with its source."""


def method_class(name: str) -> type[Method]:
    """Return the class of a method in METHODS."""
    return _CLASSES[name]
