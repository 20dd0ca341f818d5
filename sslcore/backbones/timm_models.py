"""timm's networks by name: ``timm:NAME`` (Wightman, https://github.com/huggingface/pytorch-image-models)."""

from typing import Any, cast

from torch import nn

from sslcore.choices import suggestion
from sslcore.errors import ConfigError, UserError

__all__ = ["CREATE_MODEL", "build_timm", "describe_timm"]

CREATE_MODEL = "timm.create_model"
"""What rebuilds such a network, with the keyword arguments that model.json names."""

KNOWN = {"img_size", "model_name", "num_classes"}


def describe_timm(name: str, *, image_size: int) -> dict[str, Any]:
    """Return the keyword arguments of ``timm.create_model`` for a network without its classifier.

    Args:
        name: As timm has it, without the prefix.
        image_size: Side in pixels; networks with fixed positions are built for it.

    Raises:
        ConfigError: If timm has no such network.
        UserError: If timm is not installed.
    """
    timm = _timm()
    plain = name.partition(".")[0]
    if not timm.is_model(plain):
        hint = suggestion(plain, timm.list_models())
        raise ConfigError(f"timm {timm.__version__} has no network '{name}'{hint}")
    kwargs: dict[str, Any] = {"model_name": plain, "num_classes": 0}
    config = timm.get_pretrained_cfg(plain)
    if config is not None and config.fixed_input_size:
        kwargs["img_size"] = image_size
    return kwargs


def build_timm(kwargs: dict[str, Any]) -> nn.Module:
    """Build a network of timm with random weights.

    Args:
        kwargs: As describe_timm returns them, and nothing else: they may come from a file, and others of
            timm's would download or unpickle.

    Raises:
        ConfigError: If there are others, or timm cannot build it.
        UserError: If timm is not installed.
    """
    timm = _timm()
    name = str(kwargs.get("model_name"))
    if set(kwargs) - KNOWN or not timm.is_model(name):
        raise ConfigError(f"architecture names {CREATE_MODEL} with arguments that are not built from a file")
    try:
        return cast(nn.Module, timm.create_model(pretrained=False, **kwargs))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise ConfigError(f"backbone timm:{name} cannot be built with {kwargs}: {line}") from None


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise UserError("backbones timm:NAME need timm: pip install 'sslflow[timm]'") from None
    return timm
