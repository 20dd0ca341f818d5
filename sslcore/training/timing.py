"""Where the time goes: images per second, waiting for data, memory, and how much of the device is used."""

import resource
import sys
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from sslcore.training.flops import peak_flops
from sslcore.training.loop import Batches

__all__ = ["Timing"]


class Timing:
    """Measures a run as it goes.

    Time is this process's wall clock. On a GPU kernels run behind it, but never more than a step or two, so
    over an epoch the figures are those of the device; the time spent waiting for data is what the process
    spent in its loader, while the device had at most that step or two left to do.

    Args:
        device: Where training runs.
        dtype: Its arithmetic.
        world_size: How many devices work together.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype, *, world_size: int = 1) -> None:
        self.device = device
        self.flops_per_step = 0.0
        """Of this process; 0 while unknown."""
        self._peak, self.peak_source = peak_flops(device, dtype)
        self._world_size = world_size
        self._evaluating = self._before = 0.0
        self._begin()

    def restart(self) -> None:
        """Begin a new stretch (an epoch)."""
        self._before += self.seconds
        self._begin()

    def _begin(self) -> None:
        self._started = time.perf_counter()
        self._waited = self._apart = 0.0
        self._images = self._steps = 0

    def of(self, batches: Batches) -> Batches:
        """Return the same batches, with the time that is spent waiting for each of them measured."""

        def measured(epoch: int, done: int) -> Iterator[Tensor]:
            waiting = time.perf_counter()
            for images in batches(epoch, done):
                self._waited += time.perf_counter() - waiting
                yield images
                waiting = time.perf_counter()

        return measured

    def step(self, num_images: int) -> None:
        """Count a step."""
        self._steps += 1
        self._images += num_images

    def apart(self, seconds: float) -> None:
        """Leave out time that went into something else (a checkpoint, a measurement)."""
        self._apart += seconds

    @property
    def seconds(self) -> float:
        """Of training, in this stretch."""
        return max(1e-9, time.perf_counter() - self._started - self._apart)

    def figures(self) -> dict[str, float]:
        """Return the figures of this stretch.

        seconds, images_per_second (of all processes), data_wait_share (0..1), peak_memory_gigabytes (of the
        GPU, else of this process) and, once FLOP are counted, model_flops_share (0..1, of the device's peak).
        """
        seconds = self.seconds
        figures = {
            "seconds": seconds,
            "images_per_second": self._images / seconds,
            "data_wait_share": min(1.0, self._waited / seconds),
            "peak_memory_gigabytes": self._peak_memory() / 1e9,
        }
        if self.flops_per_step:
            figures["model_flops_share"] = self.flops_per_step * self._steps / seconds / self._peak
        return figures

    def _peak_memory(self) -> float:
        if self.device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self.device))
        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit

    def evaluated(self, seconds: float) -> float:
        """Leave out time that went into measuring; return its share of all the time so far."""
        self.apart(seconds)
        self._evaluating += seconds
        return self._evaluating / (self._before + self.seconds + self._evaluating)
