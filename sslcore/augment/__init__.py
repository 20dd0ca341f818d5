"""Views made in batches, on whatever device the batch is on."""

from sslcore.augment.blur import RandomGaussianBlur
from sslcore.augment.colour import ColourJitter, RandomGreyscale
from sslcore.augment.compose import CallableViews, PerImage, compose_views
from sslcore.augment.crop import RandomResizedCrop
from sslcore.augment.erase import RandomErasing
from sslcore.augment.normalize import IMAGENET, Normalization, normalize
from sslcore.augment.rotate import RandomQuarterTurn, RandomRotation
from sslcore.augment.sets import PRESETS, VIEWS
from sslcore.augment.solarize import RandomSolarize
from sslcore.augment.step import Step
from sslcore.augment.view import MultiView, Resize, View
from sslcore.augment.view_list import ViewList
from sslcore.augment.view_options import ViewOptions
from sslcore.augment.views import build_views

__all__ = [
    "IMAGENET",
    "PRESETS",
    "VIEWS",
    "CallableViews",
    "ColourJitter",
    "MultiView",
    "Normalization",
    "PerImage",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomGreyscale",
    "RandomQuarterTurn",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSolarize",
    "Resize",
    "Step",
    "View",
    "ViewList",
    "ViewOptions",
    "build_views",
    "compose_views",
    "normalize",
]
