"""FSDP: weights, gradients and optimizer state of large vision transformers, split over the processes."""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from sslcore import distributed
from sslcore.errors import ConfigError

__all__ = ["full_state", "is_sharded", "load_full_state", "shard", "whole_weights"]


def shard(module: nn.Module) -> None:
    """Split a method over all processes, a unit per transformer block (PyTorch's ``fully_shard``).

    Args:
        module: On its device; its parameters become DTensors, each process holding a part of every one.

    Raises:
        ConfigError: If there is one process only, or there are no transformer blocks.
    """
    from torch.distributed.fsdp import fully_shard

    if distributed.world_size() == 1:
        raise ConfigError("pretrain.sharding: fsdp needs several processes; set pretrain.num_processes")
    blocks = [each for each in module.modules() if _is_block(each)]
    if not blocks:
        raise ConfigError(
            "pretrain.sharding: fsdp is for vision transformers, and this backbone has no blocks with "
            "attention; set it to none"
        )
    for block in blocks:
        fully_shard(block)
    fully_shard(module)


def _is_block(module: nn.Module) -> bool:
    """Whether a module is a transformer block: it holds attention and an MLP with norms, directly."""
    names = {name.split("_")[0] for name, _ in module.named_children()}
    attention = bool(names & {"attn", "attention", "self"})
    return attention and bool(names & {"mlp", "ffn", "feed"})


def is_sharded(module: nn.Module) -> bool:
    """Whether `shard` was called on a module."""
    from torch.distributed.fsdp import FSDPModule

    return isinstance(module, FSDPModule)


def full_state(module: nn.Module, optimizer: Optimizer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the whole state of both, put together from all processes where they are split.

    Split ones are whole in the first process only, and on the CPU.
    """
    if not is_sharded(module):
        return module.state_dict(), optimizer.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    return get_state_dict(module, optimizer, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


def load_full_state(
    module: nn.Module, optimizer: Optimizer, state: dict[str, Any], optimizer_state: dict[str, Any]
) -> None:
    """Load what `full_state` returned; each process keeps its part."""
    if not is_sharded(module):
        module.load_state_dict(state)
        optimizer.load_state_dict(optimizer_state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    set_state_dict(
        module,
        optimizer,
        model_state_dict=state,
        optim_state_dict=optimizer_state,
        options=StateDictOptions(full_state_dict=True),
    )


def whole_weights(module: nn.Module) -> dict[str, Any]:
    """Return the whole state of a module within a sharded one, on the CPU; empty but in the first process."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
