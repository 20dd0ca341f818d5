"""All that a run must remember to go on as if nothing had happened."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sslcore import distributed
from sslcore.config import PretrainConfig
from sslcore.errors import UserError
from sslcore.training.loop import Length, Parts
from sslcore.training.processes import gather_objects
from sslcore.training.sharding import full_state, load_full_state

__all__ = ["Best", "Record", "capture", "restore"]


@dataclass
class Best:
    """The best backbone so far."""

    epoch: int
    value: float
    """Of the metric it is chosen by; higher is better."""
    weights: dict[str, Tensor]
    """On the CPU."""


@dataclass
class Record:
    """What has happened so far, besides what the weights say."""

    length: Length
    done: int = 0
    """Optimizer steps; the position in the epoch's order and the views' chance follow from it."""
    seconds: float = 0.0
    """Of training, earlier processes included."""
    losses: list[float] = field(default_factory=list)
    """Of the steps of this epoch."""
    history: list[dict[str, float]] = field(default_factory=list)
    """A row per epoch."""
    best: Best | None = None
    flops_per_step: float = 0.0
    """Counted at the first step; how many samples are measured follows from it."""
    fitted: bool = False
    """Whether the length was fitted into max_minutes."""


def capture(parts: Parts, record: Record, config: PretrainConfig) -> dict[str, Any]:
    """Return all of it as tensors, numbers and strings; with several processes, all must call it."""
    model, optimizer = full_state(parts.method, parts.optimizer)
    best = record.best
    return {
        "identity": config.identity(),
        "model": model,
        "optimizer": optimizer,
        "scaler": parts.precision.state_dict(),
        "average": parts.average.state_dict() if parts.average is not None else {},
        "generators": gather_objects(_generators()),
        "done": record.done,
        "total_steps": record.length.total_steps,
        "steps_per_epoch": record.length.steps_per_epoch,
        "fitted": record.fitted,
        "flops_per_step": record.flops_per_step,
        "seconds": record.seconds,
        "losses": list(record.losses),
        "history": [dict(row) for row in record.history],
        "best": None
        if best is None
        else {"epoch": best.epoch, "value": best.value, "weights": dict(best.weights)},
    }


def restore(parts: Parts, record: Record, config: PretrainConfig, state: Mapping[str, Any]) -> None:
    """Go on where a state was captured.

    Raises:
        UserError: If it is of other settings or another data set.
    """
    _require_same(config.identity(), state["identity"])
    if state["steps_per_epoch"] != record.length.steps_per_epoch:
        raise UserError(
            f"the checkpoint has {state['steps_per_epoch']} steps in an epoch, here there are "
            f"{record.length.steps_per_epoch}: go on with the same data, or name another folder"
        )
    load_full_state(parts.method, parts.optimizer, state["model"], state["optimizer"])
    parts.precision.load_state_dict(state["scaler"])
    if parts.average is not None:
        parts.average.load_state_dict(state["average"])
    record.done, record.length.total_steps = state["done"], state["total_steps"]
    record.fitted, record.flops_per_step = state["fitted"], state["flops_per_step"]
    record.seconds, record.losses, record.history = state["seconds"], state["losses"], state["history"]
    record.best = None if state["best"] is None else Best(**state["best"])
    if distributed.rank() < len(
        state["generators"]
    ):  # after another number of processes, new ones keep theirs
        _set_generators(state["generators"][distributed.rank()])


def _require_same(here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    for name in sorted({*here, *there}):
        if here.get(name) != there.get(name):
            raise UserError(
                f"the checkpoint was made with pretrain.{name} {there.get(name)!r}, here it is "
                f"{here.get(name)!r}: go on with the same settings, or give another folder for checkpoints"
            )


def _generators() -> dict[str, Any]:
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    version, internal, gauss_next = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(kind), [int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
        "python": [version, list(internal), gauss_next],
    }


def _set_generators(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
