"""Check that a method gets the views it was made for."""

from collections.abc import Sequence

from torch import Tensor

from sslcore.errors import ConfigError

__all__ = ["check_views"]


def check_views(
    views: Sequence[Tensor], method: str, *, least: int, most: int | None = None
) -> Sequence[Tensor]:
    """Return the views if their number fits.

    Args:
        views: What came.
        method: Name of the method, for the message.
        least: The smallest number it can take.
        most: The greatest; None for any.

    Raises:
        ConfigError: If there are fewer or more.
    """
    if least <= len(views) and (most is None or len(views) <= most):
        return views
    number = str(least) if most == least else f"{least} or more" if most is None else f"{least} to {most}"
    raise ConfigError(
        f"{method} takes {number} view{'s' if number != '1' else ''} of an image, got {len(views)}: "
        f"choose other pretrain.views"
    )
