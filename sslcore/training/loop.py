"""The training loop: views, loss, gradients, step. Who iterates over it logs, measures, saves in between."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from sslcore import distributed
from sslcore.methods import Method, Progress
from sslcore.training.ema import WeightAverage
from sslcore.training.finite import FiniteSteps
from sslcore.training.precision import Precision
from sslcore.training.schedules import Schedule
from sslcore.training.small_maps import small_map_convolutions
from sslcore.training.view_stream import Views, view_stream

__all__ = ["Batches", "Length", "Parts", "Step", "train", "train_step"]

Batches = Callable[[int, int], Iterator[Tensor]]
"""From an epoch and the number of its batches that are done to the rest, each uint8 [B, C, H, W]."""


@dataclass
class Parts:
    """What is trained, and with what."""

    method: Method
    """On the device, in training mode; the hooks are called on it."""
    views: Views
    optimizer: Optimizer
    schedule: Schedule
    precision: Precision
    seed: int = 0
    accumulate: int = 1
    """Parts in which a batch goes through the method."""
    clip_grad_norm: float | None = None
    average: WeightAverage | None = None
    wrapped: Callable[[Sequence[Tensor]], Tensor] | None = None
    """What is called instead of the method: DistributedDataParallel around it."""


@dataclass
class Length:
    """How long a run is; ``total_steps`` may be changed while it goes on."""

    total_steps: int
    steps_per_epoch: int


@dataclass(frozen=True)
class Step:
    """What a step left behind."""

    done: int
    """Steps that are done, with this one."""
    epoch: int
    """1 for the first."""
    ends_epoch: bool
    """Also true for the last step of a run."""
    num_images: int
    """Of all processes."""
    lr: float
    loss_and_norm: Tensor
    """[2] on the device: mean loss over processes, norm of the gradients. Reading it waits for the device."""


def train(parts: Parts, batches: Batches, length: Length, *, done: int = 0) -> Iterator[Step]:
    """Train, and yield after each step.

    Args:
        parts: What is trained, and with what.
        batches: Where images come from.
        length: How long.
        done: Steps that an earlier run has done.
    """
    device, ranks = parts.precision.device, distributed.world_size()
    finite = FiniteSteps(parts.precision)
    while done < length.total_steps:
        epoch, position = divmod(done, length.steps_per_epoch)
        stream = view_stream(
            batches(epoch, position),
            parts.views,
            device=device,
            seed=parts.seed,
            rank=distributed.rank(),
            first_step=done,
            accumulate=parts.accumulate,
        )
        for views in stream:
            progress = Progress(done, length.total_steps, length.steps_per_epoch)
            loss_and_norm = train_step(parts, views, progress, finite)
            done += 1
            ends = done % length.steps_per_epoch == 0 or done >= length.total_steps
            num_images = ranks * sum(len(part[0]) for part in views)
            lr = float(parts.optimizer.param_groups[-1]["lr"])
            yield Step(done, epoch + 1, ends, num_images, lr, loss_and_norm)
            if ends:
                break


def train_step(
    parts: Parts, views: list[Sequence[Tensor]], progress: Progress, finite: FiniteSteps
) -> Tensor:
    """Take one optimizer step; nothing in it waits for a GPU.

    Args:
        parts: What is trained, and with what.
        views: Of each part of the batch.
        progress: How far the run is.
        finite: Decides whether the optimizer may step.

    Returns:
        The mean loss over all processes, and the norm of the gradients: [2], on the device.
    """
    method, optimizer = parts.method, parts.optimizer
    parts.schedule.apply(optimizer, progress, method.weight_decay_factor(progress))
    method.before_step(progress)
    total = torch.zeros((), device=parts.precision.device)
    for number, part in enumerate(views, start=1):
        with _gradients_averaged(parts.wrapped, when=number == len(views)):
            with parts.precision.autocast(), small_map_convolutions(parts.precision.device):
                loss = (parts.wrapped or method)(part) / len(views)
            parts.precision.backward(loss)
        total += loss.detach()
    parts.precision.unscale(optimizer)
    method.after_backward(progress)
    weights = [each for group in optimizer.param_groups for each in group["params"] if each.grad is not None]
    norm = get_total_norm([each.grad for each in weights])
    norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # sharded: of all processes
    if parts.clip_grad_norm is not None:
        clip_grads_with_norm_(weights, parts.clip_grad_norm, norm)
    stepped = finite.step(optimizer, norm)
    optimizer.zero_grad(set_to_none=True)
    if stepped:
        method.after_step(progress)
        if parts.average is not None:
            parts.average.update(method.kept_backbone)
    return torch.stack((distributed.mean_over_ranks(total), norm.detach().float()))


def _gradients_averaged(wrapped: object, *, when: bool) -> contextlib.AbstractContextManager[None]:
    """Let processes average their gradients only after the last part of a batch."""
    if isinstance(wrapped, DistributedDataParallel) and not when:
        return wrapped.no_sync()
    return contextlib.nullcontext()
