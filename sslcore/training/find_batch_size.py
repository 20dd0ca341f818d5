"""The batch size that suits a device, found by trial."""

import copy
import gc
import logging
import time

import torch

from sslcore.methods import Method, Progress
from sslcore.training.finite import FiniteSteps
from sslcore.training.loop import Parts, train_step
from sslcore.training.optimizers import build_optimizer
from sslcore.training.precision import Precision
from sslcore.training.schedules import Schedule
from sslcore.training.view_stream import Views

__all__ = ["find_batch_size"]

log = logging.getLogger(__name__)

LEAST, MOST = 32, 8192
GAIN = 1.05
"""On a CPU a batch twice the size must be so much faster per image to be worth having."""


def find_batch_size(
    method: Method,
    views: Views,
    *,
    optimizer: str,
    image_size: int,
    precision: Precision,
    most: int = MOST,
) -> int:
    """Try whole steps on copies of a method with batches of 32, 64, 128 ...

    On a GPU the largest that fits into its memory is taken, on a CPU the first one that is not beaten by one
    twice its size by a twentieth. Nothing that is handed over is changed, chance included.

    Args:
        method: On the CPU.
        views: What makes its views.
        optimizer: Name of the optimizer, whose state takes memory too.
        image_size: Side in pixels at which images are read.
        precision: Arithmetic and device.
        most: No batch larger than this.

    Returns:
        A batch size per process; at most ``most``, and a power of two times 32 unless ``most`` is smaller.
    """
    best, best_speed, size = min(LEAST, most), 0.0, LEAST
    devices = [precision.device] if precision.device.type == "cuda" else []
    while size <= most:
        with torch.random.fork_rng(devices=devices):
            speed = _try(method, views, optimizer, size, image_size, precision)
        if speed is None or (not devices and speed < GAIN * best_speed):
            break
        best, best_speed, size = size, speed, size * 2
    log.info("batch size %d, found by trial", best)
    return best


def _try(
    method: Method, views: Views, optimizer: str, size: int, image_size: int, precision: Precision
) -> float | None:
    """Return images per second, or None if the memory does not suffice."""
    device = precision.device
    try:
        trial = copy.deepcopy(method).train()
        trial.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        made = build_optimizer(optimizer, trial, lr=1e-6, weight_decay=0.0)
        parts = Parts(trial, views, made, Schedule(made), Precision(precision.dtype, device))
        images = torch.randint(0, 256, (size, 3, image_size, image_size), dtype=torch.uint8, device=device)
        _step(parts, images)
        _wait(device)
        started = time.perf_counter()
        _step(parts, images)
        _wait(device)
        return size / (time.perf_counter() - started)
    except torch.OutOfMemoryError:
        return None
    finally:
        trial = made = parts = images = None  # type: ignore[assignment]
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _step(parts: Parts, images: torch.Tensor) -> None:
    train_step(parts, [parts.views(images)], Progress(0, 10, 10), FiniteSteps(parts.precision))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
