"""The training loop: views on the device, one step after the other, nothing hidden."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sslcore.errors import NotLearningError
from sslcore.monitor import Monitor
from sslcore.training.schedules import cosine_with_warmup

__all__ = ["Epoch", "train"]


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to."""

    number: int
    """1 for the first."""
    loss: float
    lr: float
    seconds: float
    num_images: int


def train(
    method: nn.Module,
    views: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Callable[[int], Iterator[Tensor]],
    *,
    epochs: int,
    steps_per_epoch: int,
    warmup_steps: int,
    device: torch.device,
    precision: torch.dtype,
    generator: Generator,
    monitor: Monitor,
) -> Iterator[Epoch]:
    """Train, and yield after each epoch.

    Args:
        method: ``method(views) -> loss``, on the device, in training mode.
        views: ``views(images, generator) -> list of views``.
        optimizer: With the peak learning rate in its groups.
        batches: From an epoch's number (0 for the first) to its uint8 batches [B, C, H, W].
        epochs: How many.
        steps_per_epoch: Batches in each.
        warmup_steps: Steps in which the learning rate rises.
        device: Where to train.
        precision: bfloat16 for autocast, float32 for none.
        generator: Source of the views' chance, on the device.
        monitor: Told of each step.

    Raises:
        NotLearningError: If a loss is not finite; the weights are those before it.
    """
    total = epochs * steps_per_epoch
    peaks = [group["lr"] for group in optimizer.param_groups]
    step = 0
    for epoch in range(epochs):
        losses: list[float] = []
        started, seen = time.monotonic(), 0
        for images in batches(epoch):
            share = cosine_with_warmup(step, total_steps=total, warmup_steps=warmup_steps)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            augmented = views(images.to(device, non_blocking=True), generator)
            with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
                loss = method(augmented)
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise NotLearningError(
                    f"the loss is {losses[-1]} in epoch {epoch + 1}, step {step + 1}; try a lower "
                    "pretrain.lr, more pretrain.warmup_epochs or pretrain.precision: fp32"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step, seen = step + 1, seen + len(images)
            monitor.progress(step, total, "steps", epoch=epoch + 1, loss=losses[-1])
        mean = math.fsum(losses) / len(losses)
        yield Epoch(epoch + 1, mean, peaks[0] * share, time.monotonic() - started, seen)
