"""Your own views: composed of ours from plain options, as YAML has them, or anybody's callable."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sslcore.augment.blur import RandomGaussianBlur
from sslcore.augment.colour import ColourJitter, RandomGreyscale
from sslcore.augment.crop import RandomResizedCrop
from sslcore.augment.erase import RandomErasing
from sslcore.augment.normalize import IMAGENET, Normalization
from sslcore.augment.rotate import RandomQuarterTurn, RandomRotation
from sslcore.augment.solarize import RandomSolarize
from sslcore.augment.view import MultiView, Resize, View
from sslcore.augment.view_list import ViewList
from sslcore.choices import check_choice, suggestion
from sslcore.errors import ConfigError

__all__ = ["CROPS", "STEPS", "CallableViews", "PerImage", "compose_views", "views_from_factory"]

CROPS: Mapping[str, type[nn.Module]] = {"crop": RandomResizedCrop, "resize": Resize}
"""What a view begins with."""
STEPS: Mapping[str, type[nn.Module]] = {
    "blur": RandomGaussianBlur,
    "erase": RandomErasing,
    "greyscale": RandomGreyscale,
    "jitter": ColourJitter,
    "quarter_turn": RandomQuarterTurn,
    "rotate": RandomRotation,
    "solarize": RandomSolarize,
}
"""What may follow, in any order and number."""


def compose_views(
    views: Sequence[Mapping[str, Any]], *, image_size: int, normalization: Normalization | None = IMAGENET
) -> MultiView:
    """Compose views of ours.

    Args:
        views: A mapping for each view: ``steps``, a list of names of steps or of ``{name: {option: value}}``,
            of which the first is a crop or a resize; ``size``, its side in pixels, by default the image size;
            ``count``, how many such views, by default 1.
        image_size: Side in pixels of views that say no size.
        normalization: Mean and standard deviation per channel.

    Raises:
        ConfigError: If a name or an option is unknown, or a value is out of range.
    """
    if not isinstance(views, Sequence) or isinstance(views, str) or not views:
        raise ConfigError("view_options.views must be a list of views, such as [{steps: [crop, jitter]}]")
    made: list[View] = []
    for number, each in enumerate(views):
        where = f"views[{number}]"
        if not isinstance(each, Mapping) or not each.get("steps"):
            raise ConfigError(f"{where} must have steps, such as {{count: 2, steps: [crop, jitter]}}")
        for key in each:
            check_choice(key, ("count", "size", "steps"), name=f"a key of {where}")
        count, size = each.get("count", 1), each.get("size", image_size)
        if not isinstance(count, int) or not isinstance(size, int) or count < 1 or size < 1:
            raise ConfigError(f"{where}: count and size must be whole numbers >= 1, got {count} and {size}")
        first, *rest = each["steps"]
        crop = _built(first, CROPS, f"the first step of {where}", size=size)
        steps = [_built(step, STEPS, f"a step of {where}") for step in rest]
        view = View(crop, steps, normalization=normalization)
        made += [view] * count
    return MultiView(made)


def _built(step: Any, kinds: Mapping[str, type[nn.Module]], where: str, **fixed: Any) -> Any:
    """Build a step from its name or from ``{name: options}``."""
    name, options = _name_and_options(step, where)
    kind = kinds[check_choice(name, kinds, name=where)]
    known = set(inspect.signature(kind).parameters) - set(fixed)
    for key in options:
        if key not in known:
            hint = suggestion(key, known) or "; known: " + ", ".join(sorted(known))
            raise ConfigError(f"{where}: {name} has no option '{key}'{hint}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        return kind(**fixed, **values)
    except TypeError as error:
        raise ConfigError(f"{where}: {name} cannot be made of {dict(values)}: {error}") from None


def _name_and_options(step: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    if isinstance(step, str):
        return step, {}
    if isinstance(step, Mapping) and len(step) == 1:
        ((name, options),) = step.items()
        if isinstance(name, str) and isinstance(options, Mapping | None):
            return name, options or {}
    raise ConfigError(f"{where} must be a name or {{name: {{option: value}}}}, got {step!r}")


def views_from_factory(
    name: str, *, image_size: int, normalization: Normalization = IMAGENET, **options: Any
) -> nn.Module:
    """Ask ``package.module:factory`` for views.

    Args:
        name: Where the factory is.
        image_size: Handed to the factory.
        normalization: Handed to the factory, which has to normalize.
        **options: Handed to the factory.

    Returns:
        A module that maps images and a generator to a list of views.

    Raises:
        ConfigError: If there is no such factory, or it does not take the options, or makes nothing callable.
    """
    package, _, factory = name.partition(":")
    try:
        make = getattr(importlib.import_module(package), factory)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"views {name} cannot be imported: {error}") from None
    try:
        inspect.signature(make).bind(image_size=image_size, normalization=normalization, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"views {name} must take image_size, normalization and view_options: {error}"
        ) from None
    made = make(image_size=image_size, normalization=normalization, **options)
    if not callable(made):
        raise ConfigError(f"views {name} must return something to call, got {type(made).__name__}")
    return made if isinstance(made, nn.Module) else CallableViews(made)


class CallableViews(nn.Module):
    """Views by anybody's callable, which maps a batch [B, C, H, W] and a generator to a list of batches."""

    def __init__(self, views: Any) -> None:
        super().__init__()
        self.views = views

    @torch.no_grad()
    def forward(self, images: Tensor, generator: Generator | None = None) -> ViewList:
        """Call it."""
        made = self.views(images, generator)
        return made if isinstance(made, ViewList) else ViewList(made)


class PerImage(nn.Module):
    """Views by a transform of one image, such as torchvision's v2.Compose: slow, and anything goes.

    Args:
        transform: From an image [C, H, W], as the batch has it, to a tensor [C, h, w] or to a list of them.
        num_views: How often it is called for each image.
    """

    def __init__(self, transform: Any, *, num_views: int = 2) -> None:
        super().__init__()
        self.transform, self.num_views = transform, num_views

    @torch.no_grad()
    def forward(self, images: Tensor, generator: Generator | None = None) -> ViewList:
        """Make the views, with PyTorch's own chance seeded from ``generator``."""
        place = images.device if generator is None else generator.device
        seed = int(torch.randint(2**62, (), device=place, generator=generator))
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            rows = [self._views_of(image) for image in images]
        return ViewList(torch.stack(view) for view in zip(*rows, strict=True))

    def _views_of(self, image: Tensor) -> list[Tensor]:
        made: list[Tensor] = []
        for _ in range(self.num_views):
            each = self.transform(image)
            made += each if isinstance(each, list | tuple) else [each]
        return made
