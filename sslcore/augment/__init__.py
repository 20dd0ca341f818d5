"""Views made in batches, on whatever device the batch is on."""

from sslcore.augment.blur import RandomGaussianBlur
from sslcore.augment.colour import ColourJitter, RandomGreyscale
from sslcore.augment.crop import RandomResizedCrop
from sslcore.augment.normalize import IMAGENET, Normalization, normalize
from sslcore.augment.view_list import ViewList
from sslcore.augment.views import VIEWS, SimCLRViews, build_views

__all__ = [
    "IMAGENET",
    "VIEWS",
    "ColourJitter",
    "Normalization",
    "RandomGaussianBlur",
    "RandomGreyscale",
    "RandomResizedCrop",
    "SimCLRViews",
    "ViewList",
    "build_views",
    "normalize",
]
