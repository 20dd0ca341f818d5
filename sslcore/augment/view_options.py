"""The settings that the ready-made sets of views share, and the views that they make."""

from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from sslcore.augment.blur import RandomGaussianBlur
from sslcore.augment.colour import ColourJitter, RandomGreyscale
from sslcore.augment.crop import RandomResizedCrop
from sslcore.augment.erase import RandomErasing
from sslcore.augment.normalize import Normalization
from sslcore.augment.rotate import RandomQuarterTurn, RandomRotation
from sslcore.augment.solarize import RandomSolarize
from sslcore.augment.step import Step, check_probability
from sslcore.augment.view import MultiView, View
from sslcore.choices import suggestion
from sslcore.errors import ConfigError

__all__ = ["ViewOptions", "build_multi_view", "parse_view_options"]

PerView = float | tuple[float, ...]
"""A probability for all views, or one for each in order; the last holds for the rest."""

SMALL = 64
REFERENCE = 224


@dataclass(frozen=True)
class ViewOptions:
    """What ``pretrain.view_options`` may hold.

    A probability is one number for all views or a list with one for each, global views first; the last number
    of a list holds for all views that follow.

    Attributes:
        num_global: Views at the image size.
        num_local: Further views at ``local_size``.
        local_size: Side of a local view in pixels; null takes 3/7 of the image size (96 at 224) in whole 16s,
            and half of it up to 64 pixels, at least 16.
        min_scale: Least share of an image's area in a global view.
        max_scale: Greatest.
        local_min_scale: Least share in a local view.
        local_max_scale: Greatest.
        min_ratio: Least width over height of a crop.
        max_ratio: Greatest.
        interpolation: bilinear or bicubic.
        flip_probability: Chance of mirroring left to right.
        vertical_flip_probability: Chance of turning upside down.
        jitter: Brightness, contrast, saturation and hue at strength 1.
        jitter_strength: Factor on all four.
        jitter_probability: Chance of colour jitter.
        grey_probability: Chance of greyscale.
        blur_probability: Chance of Gaussian blur.
        blur_sigma: Least and greatest width of the blur in pixels at 224, in proportion elsewhere.
        solarize_probability: Chance of solarization.
        rotation_probability: Chance of a rotation.
        rotation_degrees: By at most this angle, either way.
        quarter_turn_probability: Chance of a turn by 90, 180 or 270 degrees.
        erase_probability: Chance that a box is painted over in grey.
    """

    num_global: int = 2
    num_local: int = 0
    local_size: int | None = None
    min_scale: float = 0.08
    max_scale: float = 1.0
    local_min_scale: float = 0.05
    local_max_scale: float = 0.4
    min_ratio: float = 3 / 4
    max_ratio: float = 4 / 3
    interpolation: str = "bilinear"
    flip_probability: PerView = 0.5
    vertical_flip_probability: PerView = 0.0
    jitter: tuple[float, ...] = (0.8, 0.8, 0.8, 0.2)
    jitter_strength: float = 1.0
    jitter_probability: PerView = 0.8
    grey_probability: PerView = 0.2
    blur_probability: PerView = 0.0
    blur_sigma: tuple[float, ...] = (0.1, 2.0)
    solarize_probability: PerView = 0.0
    rotation_probability: PerView = 0.0
    rotation_degrees: float = 90.0
    quarter_turn_probability: PerView = 0.0
    erase_probability: PerView = 0.0

    def __post_init__(self) -> None:
        if self.num_global < 1 or self.num_local < 0:
            raise ConfigError(
                f"num_global must be >= 1 and num_local >= 0, got {self.num_global} and {self.num_local}"
            )
        for name in self.probabilities():
            value = getattr(self, name)
            for each in value if isinstance(value, tuple) else (value,):
                check_probability(name, each)
        for name, length in (("jitter", 4), ("blur_sigma", 2)):
            if len(getattr(self, name)) != length:
                raise ConfigError(f"{name} must have {length} numbers, got {list(getattr(self, name))}")

    @classmethod
    def probabilities(cls) -> list[str]:
        """Return the names of the settings that may differ between views."""
        return [each.name for each in fields(cls) if each.name.endswith("_probability")]

    def of_view(self, name: str, view: int) -> float:
        """Return a probability for the view with that number, 0 for the first."""
        value = getattr(self, name)
        return float(value[min(view, len(value) - 1)] if isinstance(value, tuple) else value)

    def local_side(self, image_size: int) -> int:
        """Return the side of a local view in pixels."""
        if self.local_size is not None:
            return self.local_size
        if image_size <= SMALL:
            return min(image_size, max(16, image_size // 2))
        return max(16, round(image_size * 3 / 7 / 16) * 16)


def parse_view_options(name: str, preset: ViewOptions, options: dict[str, Any]) -> ViewOptions:
    """Return the options of a set, with those that win over them.

    Args:
        name: Of the set, for messages.
        preset: Its own options.
        options: As they come from YAML; lists are allowed for tuples, and ``num_views`` is ``num_global``.

    Raises:
        ConfigError: If an option is unknown or its value is not of the right kind or out of range.
    """
    given = {("num_global" if key == "num_views" else key): value for key, value in options.items()}
    known = {each.name: getattr(preset, each.name) for each in fields(ViewOptions)}
    for key, value in given.items():
        if key not in known:
            hint = suggestion(key, known) or "; known: " + ", ".join(sorted([*known, "num_views"]))
            raise ConfigError(f"views {name} have no option '{key}'{hint}")
        known[key] = _of_kind(key, value)
    return ViewOptions(**known)


def _of_kind(key: str, value: Any) -> Any:
    """Check a value from YAML: its type, and the length of a list."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    several = isinstance(value, list | tuple) and bool(value)
    several = several and all(isinstance(each, int | float) and not isinstance(each, bool) for each in value)
    if key == "interpolation":
        fine, want = isinstance(value, str), "bilinear or bicubic"
    elif key in ("num_global", "num_local"):
        fine, want = isinstance(value, int) and number, "a whole number"
    elif key == "local_size":
        fine, want = value is None or (isinstance(value, int) and number and value >= 1), "pixels, >= 1"
    elif key in ("jitter", "blur_sigma"):
        fine, want = several, "a list of numbers"
    elif key.endswith("_probability"):
        fine, want = number or several, "a number, or a list with one for each view"
    else:
        fine, want = number, "a number"
    if not fine:
        raise ConfigError(f"{key} must be {want}, got {value!r}")
    return tuple(map(float, value)) if several else value


def build_multi_view(options: ViewOptions, image_size: int, normalization: Normalization) -> MultiView:
    """Build the views that some options describe, for images of a size."""
    views = []
    for view in range(options.num_global + options.num_local):
        is_local = view >= options.num_global
        crop = RandomResizedCrop(
            options.local_side(image_size) if is_local else image_size,
            scale=(options.local_min_scale, options.local_max_scale)
            if is_local
            else (options.min_scale, options.max_scale),
            ratio=(options.min_ratio, options.max_ratio),
            flip_probability=options.of_view("flip_probability", view),
            vertical_flip_probability=options.of_view("vertical_flip_probability", view),
            interpolation=options.interpolation,
        )
        steps = _steps(options, view, image_size, normalization)
        views.append(View(crop, steps, normalization=normalization))
    return MultiView(views)


def _steps(options: ViewOptions, view: int, image_size: int, normalization: Normalization) -> list[Step]:
    """Return the steps of a view that can happen; those without a chance are left out."""
    chance = {name: options.of_view(name, view) for name in ViewOptions.probabilities()}
    jitter = [each * options.jitter_strength for each in options.jitter]
    low, high = (each * image_size / REFERENCE for each in options.blur_sigma)
    grey = sum(normalization.mean) / len(normalization.mean)
    steps: list[tuple[str, Step]] = [
        ("quarter_turn_probability", RandomQuarterTurn(chance["quarter_turn_probability"])),
        (
            "rotation_probability",
            RandomRotation(options.rotation_degrees, probability=chance["rotation_probability"]),
        ),
        ("jitter_probability", ColourJitter(*jitter, probability=chance["jitter_probability"])),
        ("grey_probability", RandomGreyscale(chance["grey_probability"])),
        ("blur_probability", RandomGaussianBlur((low, high), probability=chance["blur_probability"])),
        ("solarize_probability", RandomSolarize(chance["solarize_probability"])),
        ("erase_probability", RandomErasing(chance["erase_probability"], value=grey)),
    ]
    return [step for name, step in steps if chance[name] > 0 and not _does_nothing(step)]


def _does_nothing(step: nn.Module) -> bool:
    return isinstance(step, ColourJitter) and not any(step.strengths)
