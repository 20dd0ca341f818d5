"""Settings of one run that differ from params.yaml, typed: a deployment's form shows and checks them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from sslcore.config import (
    EmbedConfig,
    EvaluateConfig,
    IngestConfig,
    PretrainConfig,
    ReportConfig,
    SelectConfig,
    StageConfig,
    read_params,
)

__all__ = ["Overrides"]


class _SettingsOf:
    """Marks a dict as settings of a stage: each as in its config class, none required, none with a default.

    Without defaults in the schema, a form sends only what somebody filled in.
    """

    def __init__(self, config: type[StageConfig]) -> None:
        fields: dict[str, Any] = {}
        for name, field in config.model_fields.items():
            limits = tuple(field.metadata)  # ge, pattern, ... stand beside the type
            kind = Annotated[(field.annotation, *limits)] if limits else field.annotation
            fields[name] = (kind, Field(default=None, description=field.description))
        self.model = create_model(config.__name__, __base__=StageConfig, __doc__=config.__doc__, **fields)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        annotated: Any = Annotated[source, AfterValidator(self._check)]
        schema: CoreSchema = handler.generate_schema(annotated)
        return schema

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = self.model.model_json_schema()
        for setting in schema["properties"].values():
            setting.pop("default", None)
        inlined: JsonSchemaValue = _inlined(schema, schema.pop("$defs", {}))
        return inlined

    def _check(self, given: dict[str, Any]) -> dict[str, Any]:
        return self.model.model_validate(given).model_dump(mode="json", exclude_unset=True)


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """Put definitions in the place of references: this becomes a part of a schema with other definitions."""
    if isinstance(part, list):
        return [_inlined(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    named = definitions[part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else {}
    # A discriminator maps to references as well; the alternatives beside it say the same.
    whole = {**named, **{key: value for key, value in part.items() if key not in ("$ref", "discriminator")}}
    return {key: _inlined(value, definitions) for key, value in whole.items()}


class Overrides(StageConfig):
    """What to set differently from params.yaml, for this run only. Its results go to runs/FINGERPRINT/."""

    ingest: Annotated[dict[str, Any], _SettingsOf(IngestConfig)] = {}
    """Where images come from."""
    pretrain: Annotated[dict[str, Any], _SettingsOf(PretrainConfig)] = {}
    """What is trained."""
    embed: Annotated[dict[str, Any], _SettingsOf(EmbedConfig)] = {}
    """How samples become vectors."""
    evaluate: Annotated[dict[str, Any], _SettingsOf(EvaluateConfig)] = {}
    """How the backbone is judged."""
    select: Annotated[dict[str, Any], _SettingsOf(SelectConfig)] = {}
    """What to label next."""
    report: Annotated[dict[str, Any], _SettingsOf(ReportConfig)] = {}
    """What the page shows."""

    @classmethod
    def from_words(cls, words: Iterable[str], *, params_file: Path) -> "Overrides":
        """Make them from ``section.key=value`` words, checked against a params.yaml.

        A word that goes deeper (``pretrain.method_options.temperature=0.2``) becomes the whole setting, with
        the other values that params.yaml has in it.

        Raises:
            ConfigError: If params.yaml or a word is wrong.
        """
        words = list(words)
        params = read_params(params_file, words).model_dump(mode="json")
        given: dict[str, dict[str, Any]] = {}
        for word in words:
            stage, setting = word.partition("=")[0].strip().split(".")[:2]
            given.setdefault(stage, {})[setting] = params[stage][setting]
        return cls.model_validate(given)

    def words(self) -> list[str]:
        """Return them as ``section.key=value`` words, the values as YAML."""
        return [
            f"{stage}.{setting}={_as_yaml(value)}"
            for stage, section in self
            for setting, value in section.items()
        ]


def _as_yaml(value: Any) -> str:
    # Not JSON: YAML reads 1e-05 as a string, and this writes 1.0e-05.
    text: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("...\n").strip()
