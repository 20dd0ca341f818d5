"""Several processes that train together: how one finds the others, and what they agree on.

Under torchrun (or `sslcore.training.launching`, which is the same) each process finds the others by the
environment variables that it sets.
"""

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from sslcore.distributed import rank, world_size
from sslcore.training.sync_batch_norm import convert_batch_norms

__all__ = [
    "ATTEMPT",
    "averaging_gradients",
    "broadcast_object",
    "gather_objects",
    "greatest",
    "launched",
    "process_group",
    "synchronised",
]

T = TypeVar("T")
ATTEMPT = "SSLFLOW_ATTEMPT"
"""Set by our launcher in the processes of one machine: how often they were started again."""


def launched() -> bool:
    """Whether torchrun started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the other processes, if torchrun started this one; leave them at the end.

    Tensors on a GPU go through NCCL, tensors on the CPU and objects through gloo.

    Args:
        device: This process's own.
    """
    if not launched() or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    store = _store_of_attempt()
    if store is None:
        dist.init_process_group(backend)
    else:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _store_of_attempt() -> Any:
    """Return the agent's store under the name of this start; None if our launcher did not give it one.

    A store that outlives a restart still holds where the processes before it listened, and the new ones would
    wait for those.
    """
    attempt = os.environ.get(ATTEMPT)
    if attempt is None:
        return None
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(*place, is_master=False, wait_for_workers=False)  # type: ignore[attr-defined]
    return dist.PrefixStore(f"attempt-{attempt}", store)  # type: ignore[attr-defined]


def synchronised(method: nn.Module) -> nn.Module:
    """Return a method with batch norms over the whole batch; of one process, as it is."""
    return convert_batch_norms(method) if world_size() > 1 else method


def averaging_gradients(method: nn.Module, device: torch.device) -> DistributedDataParallel | None:
    """Wrap a method so that processes average its gradients; None where there is one process.

    Buffers are not sent around: batch norms and queues are made of the whole batch in each process alike.
    """
    if world_size() == 1:
        return None
    accepted = inspect.signature(DistributedDataParallel.__init__).parameters
    # torch 2.15 renamed it.
    name = "forward_sync_buffers" if "forward_sync_buffers" in accepted else "broadcast_buffers"
    settings: dict[str, Any] = {name: False}
    return DistributedDataParallel(
        method,
        device_ids=[device] if device.type == "cuda" else None,
        gradient_as_bucket_view=True,
        **settings,
    )


def greatest(*values: float) -> list[float]:
    """Return the greatest of each number over all processes; all must call it."""
    if world_size() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return tensor.tolist()


def gather_objects(value: T) -> list[T]:
    """Return what all processes hold, in the order of their ranks; all must call it."""
    if world_size() == 1:
        return [value]
    gathered: list[Any] = [None] * world_size()
    dist.all_gather_object(gathered, value)
    return gathered


def broadcast_object(value: T) -> T:
    """Return what the first process holds; all must call it."""
    if world_size() == 1:
        return value
    holder: list[Any] = [value if rank() == 0 else None]
    dist.broadcast_object_list(holder)
    result: T = holder[0]
    return result
