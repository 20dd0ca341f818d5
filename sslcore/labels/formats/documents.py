"""JSON documents of other tools: read with one line on what is wrong, written the same every time."""

import json
from pathlib import Path
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Box

__all__ = ["make_box", "require", "read_json", "write_json"]


def read_json(path: Path, kind: type[Any], what: str) -> Any:
    """Read a document.

    Args:
        path: The file.
        kind: list or dict.
        what: What the file should be, for the message.

    Raises:
        UserError: If it cannot be read or is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is no {what}: {error}") from None
    if not isinstance(document, kind):
        raise UserError(f"{path} is no {what}: it holds a {type(document).__name__}")
    return document


def require(item: Any, key: str, place: str) -> Any:
    """Return ``item[key]``.

    Raises:
        UserError: If there is none; names the place.
    """
    if not isinstance(item, dict) or key not in item:
        raise UserError(f"{place}: no '{key}' in it")
    return item[key]


def make_box(label: str, place: Any, score: Any, where: str) -> Box:
    """Return a box from COCO's [left, top, width, height].

    Raises:
        UserError: If it is none; names ``where`` it stands.
    """
    try:
        left, top, width, height = (float(each) for each in place)
    except (TypeError, ValueError):
        raise UserError(f"{where}: bbox must be [left, top, width, height], got {place}") from None
    return Box(label, left, top, width, height, None if score is None else float(score))


def write_json(content: Any, path: Path) -> None:
    """Write a document as UTF-8, keys in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
