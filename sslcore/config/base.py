"""What all stage configs share: frozen, no unknown keys, a description on every field."""

from pydantic import BaseModel, ConfigDict

__all__ = ["StageConfig"]


class StageConfig(BaseModel):
    """A section of params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
