"""params.yaml as a whole: read, overridden, checked, in messages of one line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from sslcore.choices import suggestion
from sslcore.config.base import StageConfig
from sslcore.config.embed import EmbedConfig
from sslcore.config.evaluate import EvaluateConfig
from sslcore.config.ingest import IngestConfig
from sslcore.config.pretrain import PretrainConfig
from sslcore.config.report import ReportConfig
from sslcore.config.select import SelectConfig
from sslcore.errors import ConfigError

__all__ = ["Params", "parse_params", "read_params", "with_overrides"]


class Params(StageConfig):
    """All of params.yaml, a section per stage."""

    ingest: IngestConfig
    """Where images come from."""
    pretrain: PretrainConfig = PretrainConfig()
    """What is trained."""
    embed: EmbedConfig = EmbedConfig()
    """How samples become vectors."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How the backbone is judged."""
    select: SelectConfig = SelectConfig()
    """What to label next."""
    report: ReportConfig = ReportConfig()
    """What the page shows."""


def read_params(path: Path, overrides: Iterable[str] = ()) -> Params:
    """Read and check a params.yaml.

    Args:
        path: The file.
        overrides: ``section.key=value`` strings that win over the file; values are YAML.

    Raises:
        ConfigError: If the file is missing, is not YAML, or has an unknown key or a wrong value.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make a workspace with: sslflow init DIR") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold sections such as 'ingest:', got {type(raw).__name__}")
    return parse_params(with_overrides(raw, overrides), where=str(path))


def with_overrides(raw: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy of ``raw`` with ``section.key=value`` strings applied; values are YAML."""
    merged: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in raw.items()
    }
    for override in overrides:
        name, equals, text = override.partition("=")
        *parents, last = name.strip().split(".")
        if not equals or not parents or not last:
            raise ConfigError(f"an override must look like section.key=value, got '{override}'")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"the value in '{override}' is not valid YAML") from None
        node = merged
        for parent in parents:
            child = node.get(parent)
            node[parent] = dict(child) if isinstance(child, dict) else {}
            node = node[parent]
        node[last] = value
    return merged


def parse_params(raw: Mapping[str, Any], *, where: str) -> Params:
    """Check the content of a params.yaml.

    Args:
        raw: Sections with their keys.
        where: The file's name, for messages.

    Raises:
        ConfigError: Names the first wrong key, what is allowed and what came.
    """
    try:
        return Params.model_validate({key: {} if value is None else value for key, value in raw.items()})
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_message(error)}") from None


def _first_message(error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    # A key that is not known explains one that is missing: it is often that one, misspelt.
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    location = [str(part) for part in first["loc"]]
    name = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        return f"unknown key '{name}'{suggestion(location[-1], known) or '; known: ' + ', '.join(known)}"
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "union_tag_not_found":
        key = first["ctx"]["discriminator"].strip("'")
        return f"{name}: needs a key '{key}' that says which it is, got {first['input']!r}"
    if first["type"] in ("tuple_type", "list_type"):
        return f"{name} must be a list (start each item with '- '), got {first['input']!r}"
    if first["type"] in ("model_attributes_type", "model_type", "dict_type"):
        return f"{name} must be keys and values, got {first['input']!r}"
    texts = next(
        (each for each in errors if each["loc"][-1:] == ("[key]",) and each["type"] == "string_type"), None
    )
    if texts is not None:
        where = ".".join(str(part) for part in texts["loc"][:-2] if "[" not in str(part))
        return f"{where}: names must be text, in quotes where they are numbers, got {texts['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message[0].lower()}{message[1:]}, got {first['input']!r}"


def _known_keys(parents: list[str]) -> list[str]:
    model: Any = Params
    for parent in parents:
        # Within a list of a union, the parents are a number and then the tag of a member.
        model = (
            model.model_fields[parent].annotation
            if hasattr(model, "model_fields")
            else _member(model, parent)
        )
    return sorted(getattr(model, "model_fields", ()))


def _member(annotation: Any, tag: str) -> Any:
    """Return the model within a composite annotation whose discriminator is ``tag``, or the annotation."""
    for each in get_args(annotation):
        fields = getattr(each, "model_fields", {})
        if any(tag in get_args(field.annotation) for field in fields.values()):
            return each
        found = _member(each, tag)
        if found is not each:
            return found
    return annotation
