"""No optimizer steps on a loss or a gradient that is not finite, and nobody waits for the device to know."""

import math
from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Optimizer

from sslcore.errors import NotLearningError
from sslcore.training.precision import Precision

__all__ = ["FiniteSteps", "Readings"]

REMEDY = (
    "try a lower pretrain.lr, more pretrain.warmup_epochs, pretrain.clip_grad_norm: 1 "
    "or pretrain.precision: fp32"
)

MOST_SKIPPED = 40
"""fp16 skips steps while it looks for a scale; after so many in a row there is none."""


class FiniteSteps:
    """Lets an optimizer step if the norm of its gradients is finite.

    `Precision.backward` makes all gradients NaN where the loss is not finite, so the norm tells both, and
    after gradients were averaged it tells it to every process. On a GPU a fused optimizer is told on the
    device to leave out this step and all later ones; `Readings` stops the run when the number has arrived.
    Other optimizers have to wait for it.

    Args:
        precision: With the scaler of fp16, which does the same.
        asynchronous: Whether to leave it to the device; by default on a GPU.
    """

    def __init__(self, precision: Precision, *, asynchronous: bool | None = None) -> None:
        self.precision = precision
        on_gpu = precision.device.type == "cuda"
        self.asynchronous = on_gpu if asynchronous is None else asynchronous
        self._bad: Tensor | None = None

    def step(self, optimizer: Optimizer, norm: Tensor) -> bool:
        """Step, or leave it out.

        Args:
            optimizer: With gradients.
            norm: Of all gradients, before clipping; a scalar on the device.

        Returns:
            False if it is known here that the step was left out.
        """
        if self.precision.scaler.is_enabled():
            self.precision.scaler.step(optimizer)
            self.precision.scaler.update()
        elif self.asynchronous and getattr(optimizer, "_step_supports_amp_scaling", False):
            bad = (~torch.isfinite(norm)).float()
            self._bad = bad if self._bad is None else torch.maximum(self._bad, bad)
            optimizer.found_inf, optimizer.grad_scale = self._bad, None  # type: ignore[attr-defined]
            optimizer.step()
        elif math.isfinite(float(norm)):
            optimizer.step()
        else:
            return False
        return True


class Readings:
    """Losses and gradient norms on their way to the host.

    On a GPU a reading is copied into pinned memory and looked at one step later, when it has long arrived.

    Args:
        device: Where they are made.
        scaled: Whether fp16 scales the loss, so that a gradient may be infinite now and then.
    """

    def __init__(self, device: torch.device, *, scaled: bool = False) -> None:
        self.device = device
        self.scaled = scaled
        self._pending: deque[tuple[int, Tensor, torch.cuda.Event | None]] = deque()
        self._skipped = 0

    def add(self, step: int, loss_and_norm: Tensor) -> None:
        """Send a reading on its way.

        Args:
            step: 0 for the first of the run.
            loss_and_norm: [2], on the device.
        """
        if self.device.type != "cuda":
            self._pending.append((step, loss_and_norm.detach(), None))
            return
        host = torch.empty(2, dtype=torch.float32, pin_memory=True)
        host.copy_(loss_and_norm.detach(), non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self._pending.append((step, host, event))

    def arrived(self, *, all_of_them: bool = False) -> Iterator[tuple[int, float]]:
        """Give (step, loss) of the readings that are there: all but the last on a GPU, else all.

        Raises:
            NotLearningError: If one is not finite.
        """
        on_their_way = 1 if self.device.type == "cuda" and not all_of_them else 0
        while len(self._pending) > on_their_way:
            step, values, event = self._pending.popleft()
            if event is not None:
                event.synchronize()
            loss, norm = values.tolist()
            self._check(step, loss, norm)
            yield step, loss

    def _check(self, step: int, loss: float, norm: float) -> None:
        if not math.isfinite(loss):
            raise NotLearningError(f"the loss is {loss} at step {step + 1}; {REMEDY}")
        self._skipped = 0 if math.isfinite(norm) else self._skipped + 1
        if self._skipped > (MOST_SKIPPED if self.scaled else 0):
            raise NotLearningError(
                f"the loss is {loss:.4g} at step {step + 1}, but its gradients have norm {norm}; {REMEDY}"
            )
