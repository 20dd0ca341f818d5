"""A backbone on disk: safetensors and a model.json that says how to rebuild it without sslflow."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from torch import nn

from sslcore.augment import IMAGENET, Normalization
from sslcore.backbones.build import (
    Architecture,
    build_architecture,
    build_backbone,
    describe_architecture,
    is_factory,
)
from sslcore.backbones.vit import TIMM_VIT, VisionTransformer
from sslcore.errors import UserError

__all__ = ["ModelInfo", "load_backbone", "read_model_info", "save_backbone"]

WEIGHTS = "backbone.safetensors"
INFO = "model.json"


class ModelInfo(BaseModel):
    """What model.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    model_id: str
    """First 20 hex digits of the sha256 of backbone.safetensors: the model version."""
    backbone: str
    architecture: Architecture
    embed_dim: int
    image_size: int
    num_channels: int = 3
    normalization: Normalization = IMAGENET
    method: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    dataset_fingerprint: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)


def save_backbone(
    folder: Path, module: nn.Module, *, backbone: str, image_size: int, **info: Any
) -> ModelInfo:
    """Write backbone.safetensors and model.json into ``folder``.

    Args:
        folder: An existing folder.
        module: As build_backbone made it.
        backbone: Its name.
        image_size: Side in pixels of the images it was trained on.
        **info: Further fields of ModelInfo (method, config, dataset_fingerprint, metrics, normalization).
    """
    weights = {
        key: value.detach().cpu().contiguous()
        for key, value in module.state_dict().items()
        if key != "mask_token"  # Training's; timm's class has none.
    }
    save_file(weights, folder / WEIGHTS)
    with (folder / WEIGHTS).open("rb") as file:
        model_id = hashlib.file_digest(file, "sha256").hexdigest()[:20]
    architecture = _describe(module, backbone, image_size)
    written = ModelInfo(
        model_id=model_id,
        backbone=backbone,
        architecture=architecture,
        embed_dim=int(module.embed_dim),  # type: ignore[arg-type]
        image_size=image_size,
        **info,
    )
    text = json.dumps(written.model_dump(mode="json"), indent=2, sort_keys=True)
    (folder / INFO).write_text(text + "\n", encoding="utf-8")
    return written


def _describe(module: nn.Module, backbone: str, image_size: int) -> Architecture:
    if isinstance(module, VisionTransformer):
        return Architecture(TIMM_VIT, module.timm_kwargs())
    return (
        Architecture(backbone)
        if is_factory(backbone)
        else describe_architecture(backbone, image_size=image_size)
    )


def read_model_info(folder: Path) -> ModelInfo:
    """Read model.json.

    Raises:
        UserError: If it is not there or is not ours.
    """
    path = folder / INFO
    try:
        return ModelInfo.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run 'sslflow pretrain' first") from None
    except ValueError as error:
        raise UserError(f"{path} is no model.json of sslflow: {str(error).splitlines()[0]}") from None


def load_backbone(folder: Path) -> tuple[nn.Module, ModelInfo]:
    """Load a backbone in eval mode on the CPU.

    Raises:
        UserError: If the files are missing or do not belong together.
    """
    info = read_model_info(folder)
    if is_factory(info.backbone):
        module = build_backbone(info.backbone, image_size=info.image_size)
    else:
        module = build_architecture(info.architecture)
        module.embed_dim = info.embed_dim  # type: ignore[assignment]
    try:
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{folder / WEIGHTS} does not fit {INFO}: {str(error).splitlines()[0]}") from None
    return module.eval(), info
