"""torchvision's data sets by name: ``torchvision:CIFAR10?train=true``.

Arguments are those of the class, parsed by the type that it declares, else by what they look like:
``true``, ``none``, ``3``, ``0.5``, ``3,32,32``, and text. ``root`` is where the files are or go to, by
default ``.state/torchvision`` in the workspace; ``download=true`` is passed to a class that can download,
unless the source says otherwise.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl

from sslcore.choices import check_choice, suggestion
from sslcore.data.items import ItemSet
from sslcore.errors import UserError

__all__ = ["PREFIX", "open_torchvision"]

PREFIX = "torchvision:"
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "none": None}


def open_torchvision(source: str, root: Path) -> ItemSet:
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
    return ItemSet(items, name=name, where=f"ingest.source {source}", length=length)


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
