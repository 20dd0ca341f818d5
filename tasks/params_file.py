"""params.yaml as a text for people: settings, defaults and meanings; and edits that keep comments."""

import textwrap
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from sslcore.config import Params, StageConfig
from sslcore.errors import ConfigError

__all__ = ["load_commented", "params_text", "save_commented"]

_WIDTH = 100


def params_text(source: str) -> str:
    """Return a params.yaml with all defaults, each under its description.

    Args:
        source: The value of ``ingest.source``, the one setting without a default.
    """
    params = Params.model_validate({"ingest": {"source": source}})
    parts = ["# Settings, a section per stage. For another value in one run only: --set section.key=value"]
    for stage, section in params:
        parts.append(f"\n{stage}:  # {Params.model_fields[stage].description}")
        parts += _section_lines(section)
    return "\n".join(parts) + "\n"


def _section_lines(section: StageConfig) -> list[str]:
    lines: list[str] = []
    for name, value in section.model_dump(mode="json").items():
        description = " ".join((type(section).model_fields[name].description or "").split())
        lines += [f"  # {line}" for line in textwrap.wrap(description, _WIDTH)]
        lines.append(f"  {name}: {_scalar(value)}")
    return lines


def _scalar(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("...\n").strip()


def load_commented(path: Path) -> CommentedMap:
    """Read a YAML file with its comments.

    Raises:
        ConfigError: If it is missing, is not YAML, or has no sections.
    """
    try:
        content = _yaml().load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make a workspace with: sslflow init DIR") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, CommentedMap):
        raise ConfigError(f"{path} must hold sections, got {type(content).__name__}")
    return content


def save_commented(content: CommentedMap, path: Path) -> None:
    """Write a YAML file with its comments, beside and renamed, so that it is never half there."""
    text = StringIO()
    _yaml().dump(content, text)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(path)


def _yaml() -> YAML:
    parser = YAML()
    parser.preserve_quotes = True
    parser.width = 4096
    parser.indent(mapping=2, sequence=4, offset=2)
    return parser
