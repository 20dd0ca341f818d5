"""The items of any torch Dataset as findings and labels; the Dataset is only read, never changed.

An item is an image, a tuple or list that begins with one (a target may follow), or a dict with one. An image
is a PIL image, a tensor [C, H, W] or [H, W], or an array [H, W, C] or [H, W]: 8 bits, or floats from 0 to 1.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from sslcore.data.decode import DECODER_ERRORS, decode_image, to_rgb
from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.examine import Finding, encode_png
from sslcore.data.measures import measure
from sslcore.data.media import Limits
from sslcore.data.quarantine import Problem
from sslcore.errors import UserError

__all__ = ["ItemSet", "image_of"]

_PNG_MODES = ("1", "L", "LA", "I;16", "RGB", "RGBA")
_IMAGE_KEYS = ("image", "img", "pixel_values")
_TARGET_KEYS = ("label", "labels", "target")


class ItemSet:
    """The items of a Dataset.

    Args:
        items: With ``[index]``, or one that can only be iterated over.
        name: With which names begin, ``NAME-0000042.png``.
        where: What messages call it.
        length: How many items, if that is known.
        filenames: Names of the items in the place of those.
    """

    def __init__(
        self,
        items: Any,
        *,
        name: str,
        where: str,
        length: int | None = None,
        filenames: Sequence[str] | None = None,
    ) -> None:
        self.labels: dict[str, str] = {}
        self.num_items = 0
        self.length = length
        self._items = items
        self._name = name
        self._where = where
        self._filenames = filenames
        self._classes = getattr(items, "classes", None)

    def findings(
        self, is_known: Callable[[str], bool], limits: Limits, store: StoreFormat = ORIGINAL
    ) -> Iterator[Finding]:
        """Yield a finding per item, in order; fills ``labels`` and counts ``num_items`` on the way.

        Args:
            is_known: Whether a digest is stored already, so that its bytes are not needed.
            limits: What images must keep to.
            store: In which form samples are stored.

        Raises:
            UserError: If an item has no image.
        """
        for index, item in self._read():
            self.num_items += 1
            name = f"{self._name}-{index:07d}.png" if self._filenames is None else self._filenames[index]
            if isinstance(item, Exception):
                detail = f"item {index}: {type(item).__name__}"
                yield Finding(name=name, kind="nothing", problem=Problem(name, "unreadable", detail))
                continue
            found, target = _image_and_target(item)
            try:
                image = image_of(found)
            except ValueError as error:
                raise UserError(
                    f"{self._where} gives no image, or (image, target), at item {index}: {error}"
                ) from error
            label = self._label(target)
            if label is not None:
                self.labels[name] = label
            yield _finding(name, image, is_known, limits, store)

    def _read(self) -> Iterator[tuple[int, Any]]:
        if self.length is None:
            yield from enumerate(self._items)
            return
        for index in range(self.length):
            try:
                item: Any = self._items[index]
            except DECODER_ERRORS as error:
                item = error
            yield index, item

    def _label(self, target: Any) -> str | None:
        """Return the class's name, or the number where the set has no names; other targets are no labels."""
        if isinstance(target, str):
            return target or None
        number = target.item() if getattr(target, "ndim", None) == 0 else target
        if not isinstance(number, int) or number < 0:
            return None
        if isinstance(self._classes, list | tuple) and 0 <= number < len(self._classes):
            named = self._classes[number]
            return named if isinstance(named, str) else ", ".join(str(part) for part in named)
        return str(number)


def _image_and_target(item: Any) -> tuple[Any, Any]:
    if isinstance(item, dict):
        return tuple(
            next((item[key] for key in keys if key in item), None) for keys in (_IMAGE_KEYS, _TARGET_KEYS)
        )  # type: ignore[return-value]
    if isinstance(item, tuple | list):
        return (item[0] if item else None), (item[1] if len(item) > 1 else None)
    return item, None


def image_of(value: Any) -> Image.Image:
    """Return what a Dataset calls an image as a PIL image.

    Raises:
        ValueError: If it is none; says what is wrong with it.
    """
    if isinstance(value, Image.Image):
        return value
    if hasattr(value, "detach"):  # a tensor, channels first
        values = value.detach().cpu().numpy()
        values = np.moveaxis(values, 0, -1) if values.ndim == 3 else values
    elif isinstance(value, np.ndarray):
        values = value
    else:
        raise ValueError(f"it is a {type(value).__name__}")
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.size == 0 or not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (2, 3, 4))):
        raise ValueError(f"its shape is {tuple(value.shape)}")
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * 255
    elif np.issubdtype(values.dtype, np.floating):
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"its floats go from {low:.3g} to {high:.3g}, not from 0 to 1; leave normalization out"
            )
        values = np.rint(values * 255).astype(np.uint8)
    elif values.dtype != np.uint8 and not (values.dtype == np.uint16 and values.ndim == 2):
        raise ValueError(f"its type is {values.dtype}")
    return Image.fromarray(np.ascontiguousarray(values))


def _finding(
    name: str, image: Image.Image, is_known: Callable[[str], bool], limits: Limits, store: StoreFormat
) -> Finding:
    violated = limits.violated(*image.size)
    if violated is not None:
        return Finding(name=name, kind="nothing", problem=Problem(name, *violated))
    if image.mode not in _PNG_MODES:
        image = image.convert("RGBA") if image.has_transparency_data else to_rgb(image)
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    sha256 = digest.hexdigest()
    width, height = image.size
    if is_known(sha256):
        return Finding(name=name, kind="image", sha256=sha256, width=width, height=height)
    data = encode_png(image)
    rgb = image if image.mode == "RGB" else decode_image(data)
    return Finding(
        name=name,
        kind="image",
        sha256=sha256,
        width=width,
        height=height,
        measures=measure(rgb),
        num_bytes=len(data),
        data=store.encode(rgb, data),
    )
