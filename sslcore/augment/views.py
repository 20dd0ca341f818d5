"""The door to views: by name, composed from options, or anybody's."""

from typing import Any

from torch import nn

from sslcore.augment.compose import compose_views, views_from_factory
from sslcore.augment.normalize import IMAGENET, Normalization
from sslcore.augment.sets import PRESETS, VIEWS
from sslcore.augment.view_options import build_multi_view, parse_view_options
from sslcore.choices import check_choice
from sslcore.errors import ConfigError

__all__ = ["build_views"]


def build_views(
    name: str, *, image_size: int, normalization: Normalization = IMAGENET, **options: Any
) -> nn.Module:
    """Build a set of views.

    Args:
        name: One of VIEWS, or ``package.module:factory``: a callable that takes ``image_size``,
            ``normalization`` and the options, and returns ``views(images, generator) -> list of batches``.
        image_size: Side of a (global) view in pixels.
        normalization: Mean and standard deviation per channel.
        **options: Fields of ViewOptions that win over the named set's; of ``custom``, ``views`` as
            compose_views takes them.

    Returns:
        A module that maps uint8 or float 0..1 [B, C, H, W] and a generator to a list of normalized float32
        [B, C, h, w], a ViewList.

    Raises:
        ConfigError: If the name or an option is unknown, or a value is out of range.
    """
    if ":" in name:
        return views_from_factory(name, image_size=image_size, normalization=normalization, **options)
    check_choice(name, VIEWS, name="views")
    if name == "custom":
        for option in options:
            check_choice(option, ["views"], name="an option of custom views")
        return compose_views(options.get("views", ()), image_size=image_size, normalization=normalization)
    if "views" in options:
        raise ConfigError(f"views {name} are ready-made and have no option 'views'; take views: custom")
    parsed = parse_view_options(name, PRESETS[name], options)
    return build_multi_view(parsed, image_size, normalization)
