"""Losses, each usable alone: computed in fp32, and right when several processes train together."""

from sslcore.losses.barlow_twins import barlow_twins
from sslcore.losses.dcl import dcl
from sslcore.losses.info_nce import info_nce
from sslcore.losses.negative_cosine import negative_cosine
from sslcore.losses.nt_xent import nt_xent
from sslcore.losses.sinkhorn import sinkhorn
from sslcore.losses.smog import group_contrast, moved_groups, nearest_groups
from sslcore.losses.swav import swapped_prediction
from sslcore.losses.tico import tico
from sslcore.losses.vicreg import vicreg
from sslcore.losses.vicregl import vicregl_local

__all__ = [
    "barlow_twins",
    "dcl",
    "group_contrast",
    "info_nce",
    "moved_groups",
    "nearest_groups",
    "negative_cosine",
    "nt_xent",
    "sinkhorn",
    "swapped_prediction",
    "tico",
    "vicreg",
    "vicregl_local",
]
