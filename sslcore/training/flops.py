"""Floating point operations: how many a step takes, and how many the device can do at most."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["count_flops", "peak_flops"]

T = TypeVar("T")

# Dense, as the makers publish them, in FLOP/s: (16-bit with 32-bit accumulation, 32-bit as torch multiplies
# by default: no TF32). https://www.nvidia.com/en-us/data-center/h100/ (SXM; the page gives figures with
# sparsity, half of which is dense), .../h200/, .../a100/, .../l4/, .../l40s/ and the V100, T4 and RTX 4090
# white papers.
PUBLISHED: dict[str, tuple[float, float]] = {
    "H200": (989e12, 67e12),
    "H100 PCIe": (756e12, 51e12),
    "H100": (989e12, 67e12),
    "A100": (312e12, 19.5e12),
    "L40S": (362e12, 91.6e12),
    "L4": (121e12, 30.3e12),
    "V100": (125e12, 15.7e12),
    "T4": (65e12, 8.1e12),
    "RTX 4090": (165e12, 82.6e12),
}


def count_flops(work: Callable[[], T]) -> tuple[T, float]:
    """Do some work and count its floating point operations (products of matrices, convolutions, attention).

    Two for each multiplication with its addition; elementwise work is not counted. The work itself is not
    changed, to the bit.

    Returns:
        What the work returned, and the count.
    """
    with FlopCounterMode(display=False) as counter:
        result = work()
    return result, float(counter.get_total_flops())


def peak_flops(device: torch.device, dtype: torch.dtype) -> tuple[float, str]:
    """Return the most FLOP/s that a device can do in an arithmetic, and where the number is from.

    What is published for a known GPU; else what a large matrix product reaches here.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for known, (half, single) in PUBLISHED.items():
            if re.search(rf"\b{known}\b", name):
                return (single if dtype == torch.float32 else half), f"published for the {known}"
    return _measured(device, dtype), "a matrix product measured here"


def _measured(device: torch.device, dtype: torch.dtype) -> float:
    side = 1024 if device.type == "cpu" else 8192
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        _wait(device)
        started = time.perf_counter()
        matrix @ matrix
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2.0 * side**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
