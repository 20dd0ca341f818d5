"""torchvision's data sets by name: ``torchvision:CIFAR10?train=true``.

Arguments are those of the class, parsed by the type that it declares, else by what they look like:
``true``, ``none``, ``3``, ``0.5``, ``3,32,32``, and text. ``root`` is where the files are or go to, by
default ``.state/torchvision`` in the workspace; ``download=true`` is passed to a class that can download,
unless the source says otherwise.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl

from PIL import Image

from sslcore.choices import check_choice, suggestion
from sslcore.data.decode import DECODER_ERRORS, decode_image
from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.examine import Finding, encode_png
from sslcore.data.measures import measure
from sslcore.data.media import Limits
from sslcore.data.quarantine import Problem
from sslcore.errors import UserError

__all__ = ["PREFIX", "TorchvisionSet", "open_torchvision"]

PREFIX = "torchvision:"
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "none": None}
_PNG_MODES = ("1", "L", "LA", "I;16", "RGB", "RGBA")


def open_torchvision(source: str, root: Path) -> "TorchvisionSet":
    """Open, and download where needed, a data set of torchvision.

    Args:
        source: ``torchvision:NAME?arg=value&arg=value``.
        root: The workspace.

    Raises:
        UserError: If there is no such set, it does not take an argument, or it cannot be opened.
        ConfigError: If the name is misspelt; suggests the right one.
    """
    import torchvision

    name, _, query = source.removeprefix(PREFIX).partition("?")
    check_choice(name, torchvision.datasets.__all__, name="ingest.source torchvision:")
    factory = getattr(torchvision.datasets, name)
    parameters = inspect.signature(factory).parameters
    arguments = _arguments(name, query, parameters)
    if "root" in parameters:
        given = Path(str(arguments.get("root", ".state/torchvision"))).expanduser()
        arguments["root"] = str(root / given)
        (root / given).mkdir(parents=True, exist_ok=True)
    if "download" in parameters:
        arguments.setdefault("download", True)
    try:
        items = factory(**arguments)
        length = len(items)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        line = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"ingest.source {source} cannot be opened ({type(error).__name__}: {line}); check its "
            "arguments, and the network if it has to be downloaded, or put its files into "
            f"{arguments.get('root', 'its root')}"
        ) from error
    if length == 0:
        raise UserError(f"ingest.source {source} has no images; check its arguments")
    return TorchvisionSet(source, name, items, length)


def _arguments(name: str, query: str, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    arguments = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in parameters:
            known = [each for each in parameters if each not in ("args", "kwargs")]
            raise UserError(
                f"ingest.source: torchvision:{name} has no argument '{key}'{suggestion(key, known)}; "
                f"it takes {', '.join(known)}"
            )
        arguments[key] = _parse(text, parameters[key].annotation)
    return arguments


def _parse(text: str, annotation: Any) -> Any:
    if annotation is str or (str in get_args(annotation) and text.lower() not in _CONSTANTS):
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if "," in text:
        return tuple(_parse(part, None) for part in text.split(",") if part)
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


class TorchvisionSet:
    """The items of a set, (image, target), as findings and labels.

    Args:
        source: As configured.
        name: The class's name, with which file names begin.
        items: The data set.
        length: How many items.
    """

    def __init__(self, source: str, name: str, items: Any, length: int) -> None:
        self.labels: dict[str, str] = {}
        self._source = source
        self._name = name
        self._items = items
        self._length = length
        self._classes = getattr(items, "classes", None)

    def __len__(self) -> int:
        return self._length

    def findings(
        self, is_known: Callable[[str], bool], limits: Limits, store: StoreFormat = ORIGINAL
    ) -> Iterator[Finding]:
        """Yield a finding per item, in order, named ``NAME-0000042.png``; fills ``labels`` on the way.

        Args:
            is_known: Whether a digest is stored already, so that its bytes are not needed.
            limits: What images must keep to.
            store: In which form samples are stored.

        Raises:
            UserError: If an item is no (image, target).
        """
        for index in range(self._length):
            name = f"{self._name}-{index:07d}.png"
            try:
                item = self._items[index]
            except DECODER_ERRORS as error:
                detail = f"item {index}: {type(error).__name__}"
                yield Finding(name=name, kind="nothing", problem=Problem(name, "unreadable", detail))
                continue
            if not isinstance(item, tuple) or len(item) < 2 or not isinstance(item[0], Image.Image):
                raise UserError(
                    f"ingest.source {self._source} gives no (image, target), so it cannot be ingested"
                )
            label = self._label(item[1])
            if label is not None:
                self.labels[name] = label
            yield _finding(name, item[0], is_known, limits, store)

    def _label(self, target: Any) -> str | None:
        """Return the class's name, or the number where the set has no names; other targets are no labels."""
        if isinstance(target, str):
            return target or None
        number = target.item() if getattr(target, "ndim", None) == 0 else target
        if not isinstance(number, int):
            return None
        if isinstance(self._classes, list | tuple) and 0 <= number < len(self._classes):
            named = self._classes[number]
            return named if isinstance(named, str) else ", ".join(str(part) for part in named)
        return str(number)


def _finding(
    name: str, image: Image.Image, is_known: Callable[[str], bool], limits: Limits, store: StoreFormat
) -> Finding:
    violated = limits.violated(*image.size)
    if violated is not None:
        return Finding(name=name, kind="nothing", problem=Problem(name, *violated))
    if image.mode not in _PNG_MODES:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
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
