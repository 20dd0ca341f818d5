"""Where to compute and in what arithmetic: the one place where "auto" is resolved."""

import os
from collections.abc import Callable

import torch

from sslcore.errors import ConfigError

__all__ = ["resolve_device", "resolve_precision"]


def resolve_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` names here; under torchrun a process's own GPU.

    Raises:
        ConfigError: If a GPU is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but PyTorch sees no GPU here; set it to auto or cpu")
    chosen = torch.device(name)
    if chosen.type == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    return chosen


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of ``auto``, ``fp32``, ``bf16`` or ``fp16``; auto is bf16 where it is fast."""
    if name == "auto":
        return torch.bfloat16 if _is_fast_at_bf16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def _is_fast_at_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Matrix units for bf16 (AMX); without them bf16 is emulated and slower than fp32. Not public, so guarded.
    has_amx: Callable[[], bool] | None = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return has_amx is not None and bool(has_amx())
