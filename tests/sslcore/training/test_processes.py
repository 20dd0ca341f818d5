"""Two processes that share each batch train as one process with the whole batch does.

This file is also the script that each of the processes runs.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslcore.backbones import build_backbone
from sslcore.distributed import rank, world_size
from sslcore.methods import SimCLR, SimCLROptions
from sslcore.training.checkpoint import Record, capture, restore
from sslcore.training.loop import Batches, Length, Parts, train
from sslcore.training.optimizers import build_optimizer
from sslcore.training.precision import Precision
from sslcore.training.processes import averaging_gradients, gather_objects, process_group, synchronised
from sslcore.training.schedules import Schedule
from sslcore.training.sharding import is_sharded, shard, whole_weights
from sslcore.training.sync_batch_norm import convert_batch_norms

CPU = torch.device("cpu")
STEPS, BATCH, PER_EPOCH = 5, 8, 3


class MirroredViews:
    """Two views without chance: the image, and its mirror image in other colours."""

    def __call__(self, images: Tensor, generator: object = None) -> list[Tensor]:
        first = images.float() / 255 - 0.5
        return [first, first.flip(3) * torch.tensor([1.0, 0.5, -0.5]).view(1, 3, 1, 1)]


class Transformer(nn.Module):
    """A vision transformer without batch norm, small enough for a test."""

    embed_dim = 16

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 16, 8, 8)
        self.blocks = nn.Sequential(Block(), Block())

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.blocks(self.patch_embed(images).flatten(2).transpose(1, 2))
        return tokens.mean(dim=1)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x, x, x, need_weights=False)[0]
        result: Tensor = x + self.mlp(x)
        return result


def batches(epoch: int, done: int) -> Iterator[Tensor]:
    images = torch.randint(
        0,
        256,
        (PER_EPOCH, BATCH, 3, 16, 16),
        generator=torch.Generator().manual_seed(epoch),
        dtype=torch.uint8,
    )
    return (batch[rank() :: world_size()] for batch in images[done:])


def parts(kind: str, *, accumulate: int = 1) -> Parts:
    torch.manual_seed(0)
    backbone = build_backbone("resnet10-small", image_size=16) if kind == "resnet" else Transformer()
    method = SimCLR(backbone, SimCLROptions(hidden_dim=32, out_dim=16)).train()
    synchronised(method)
    if kind == "fsdp" and world_size() > 1:
        shard(method)
    optimizer = build_optimizer("adamw" if kind == "fsdp" else "sgd", method, lr=0.02, weight_decay=1e-3)
    wrapped = None if is_sharded(method) else averaging_gradients(method, CPU)
    made = Parts(method, MirroredViews(), optimizer, Schedule(optimizer), Precision(torch.float32, CPU))
    made.wrapped, made.accumulate, made.clip_grad_norm = wrapped, accumulate, 1.0
    return made


def losses(made: Parts, length: Length, *, done: int = 0, steps: int = STEPS) -> list[list[float]]:
    taken = []
    source: Batches = batches
    for step in train(made, source, length, done=done):
        taken.append(step.loss_and_norm.tolist())
        if step.done == steps:
            break
    return taken


def resumed(kind: str) -> list[list[float]]:
    """Train three steps, capture, and go on with everything made anew."""
    from sslcore.config import PretrainConfig

    length, config = Length(STEPS, PER_EPOCH), PretrainConfig()
    made = parts(kind)
    before = losses(made, length, steps=3)
    state = capture(made, Record(length, done=3), config)
    holder = [state if rank() == 0 else None]
    if world_size() > 1:
        torch.distributed.broadcast_object_list(holder)
    made, record = parts(kind), Record(Length(STEPS, PER_EPOCH))
    assert holder[0] is not None
    restore(made, record, config, holder[0])
    return before + losses(made, record.length, done=record.done)


def one_of_two(place: Path) -> None:
    with process_group(CPU):
        told: dict[str, Any] = {}
        resnet = parts("resnet")
        told["resnet"] = losses(resnet, Length(STEPS, PER_EPOCH))
        told["accumulated"] = losses(parts("resnet", accumulate=2), Length(STEPS, PER_EPOCH))
        state = {key: value.double().sum().item() for key, value in resnet.method.state_dict().items()}
        told["states"] = gather_objects(state)
        sharded = parts("fsdp")
        told["fsdp"] = losses(sharded, Length(STEPS, PER_EPOCH))
        local = next(iter(sharded.method.backbone.parameters()))
        told["local"] = [local.to_local().numel(), local.numel()]  # type: ignore[attr-defined]
        told["whole"] = sorted(whole_weights(sharded.method.backbone))
        told["fsdp resumed"] = resumed("fsdp")
        if rank() == 0:
            place.write_text(json.dumps(told))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("two") / "told.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            [sys.executable, __file__, str(place)],
            env={**os.environ, **common, "RANK": str(number), "LOCAL_RANK": str(number)},
        )
        for number in range(2)
    ]
    assert [each.wait() for each in both] == [0, 0]
    result: dict[str, Any] = json.loads(place.read_text())
    return result


def assert_close(taken: list[list[float]], expected: list[list[float]]) -> None:
    """Losses within 1e-5, norms of gradients (which are about 80) within as much of themselves."""
    (losses_a, norms_a), (losses_b, norms_b) = torch.tensor(taken).T, torch.tensor(expected).T
    torch.testing.assert_close(losses_a, losses_b, rtol=0, atol=1e-5)
    torch.testing.assert_close(norms_a, norms_b, rtol=1e-5, atol=0)


def test_two_processes_give_the_losses_of_one(told: dict[str, Any]) -> None:
    alone = losses(parts("resnet"), Length(STEPS, PER_EPOCH))
    assert_close(told["resnet"], alone)


def test_their_states_are_equal_buffers_included(told: dict[str, Any]) -> None:
    assert told["states"][0] == told["states"][1]
    assert any("running_var" in name for name in told["states"][0])


def test_in_parts_they_average_their_gradients_once(told: dict[str, Any]) -> None:
    assert all(torch.isfinite(torch.tensor(told["accumulated"])).flatten())
    assert told["accumulated"] != told["resnet"]


def test_sharded_they_give_the_losses_of_one_too(told: dict[str, Any]) -> None:
    alone = losses(parts("fsdp"), Length(STEPS, PER_EPOCH))
    assert_close(told["fsdp"], alone)
    assert told["local"][0] * 2 == told["local"][1]
    assert told["whole"] == sorted(Transformer().state_dict())


def test_sharded_they_go_on_from_a_checkpoint(told: dict[str, Any]) -> None:
    assert told["fsdp resumed"] == told["fsdp"]


def test_one_process_goes_on_from_a_checkpoint() -> None:
    assert resumed("resnet") == losses(parts("resnet"), Length(STEPS, PER_EPOCH))


def test_what_has_no_blocks_or_no_company_is_not_sharded() -> None:
    from sslcore.errors import ConfigError

    with pytest.raises(ConfigError, match="fsdp needs several processes"):
        shard(Transformer())


@pytest.mark.parametrize("shape", [(8, 3), (4, 3, 5), (4, 3, 2, 2)])
def test_converted_norms_are_the_same_in_one_process(shape: tuple[int, ...]) -> None:
    cls = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
    plain = cls(3, affine=len(shape) != 2)
    converted = convert_batch_norms(nn.Sequential(cls(3, affine=len(shape) != 2)))
    assert [key.partition(".")[2] for key in converted.state_dict()] == list(plain.state_dict())
    x = torch.randn(shape)
    torch.testing.assert_close(converted(x), plain(x))
    torch.testing.assert_close(converted.eval()(x), plain.eval()(x))


if __name__ == "__main__":
    one_of_two(Path(sys.argv[1]))
