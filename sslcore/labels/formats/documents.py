"""JSON documents of other tools: read with one line on what is wrong, written the same every time."""

import json
import math
from pathlib import Path
from typing import Any

from sslcore.errors import UserError
from sslcore.labels.exchange import Box

__all__ = ["class_name", "make_box", "number", "of_kind", "read_json", "require", "write_json"]

KINDS = {list: "a list", dict: "an object", str: "a text", object: "something"}


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
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no {what}: {error}") from None
    if not isinstance(document, kind):
        raise UserError(f"{path} is no {what}: it holds a {type(document).__name__}")
    return document


def require(item: Any, key: str, place: str, kind: type[Any] = object) -> Any:
    """Return ``item[key]``.

    Raises:
        UserError: If there is none, or it is of another kind; names the place.
    """
    if not isinstance(item, dict) or key not in item:
        raise UserError(f"{place}: no '{key}' in it")
    return of_kind(item[key], kind, f"{place}: '{key}'")


def of_kind(value: Any, kind: type[Any], what: str) -> Any:
    """Return the value.

    Raises:
        UserError: If it is of another kind; names ``what`` it is.
    """
    if not isinstance(value, kind):
        shown = json.dumps(value, ensure_ascii=False)[:60]
        raise UserError(f"{what} must be {KINDS[kind]}, got {shown}")
    return value


def class_name(name: Any, place: str) -> str:
    """Return a class's name without blanks around it.

    Raises:
        UserError: If it is no name; names the place.
    """
    if isinstance(name, bool) or not isinstance(name, str | int | float) or not str(name).strip():
        shown = json.dumps(name, ensure_ascii=False)[:60]
        raise UserError(f"{place}: a class needs a name, got {shown}; name it there, or take it out")
    return str(name).strip()


def make_box(label: str, place: Any, score: Any, where: str) -> Box:
    """Return a box from COCO's [left, top, width, height].

    Raises:
        UserError: If it is none; names ``where`` it stands.
    """
    try:
        left, top, width, height = (float(each) for each in place)
    except (TypeError, ValueError, OverflowError):
        raise UserError(
            f"{where}: bbox must be [left, top, width, height], got {str(place)[:60]!r}"
        ) from None
    if not (math.isfinite(left + top + width + height) and width > 0 and height > 0):
        raise UserError(f"{where}: a box must have a place and a size above 0, got {place}")
    return Box(label, left, top, width, height, None if score is None else number(score, where))


def number(value: Any, where: str) -> float:
    """Return a score.

    Raises:
        UserError: If it is no finite number; names ``where`` it stands.
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f"{where}: a score must be a number, got {str(value)[:60]!r}")
    return found


def write_json(content: Any, path: Path) -> None:
    """Write a document as UTF-8, keys in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
