"""Two processes with half of the batch each end where one process with the whole batch does.

Batch norm runs on fixed statistics here: in training it is synchronized (`SyncBatchNorm`, for GPUs only) or
deliberately not (MoCo's shuffling), and either is apart from the losses. This file is run as a script, once
in each process.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import sslcore
from sslcore.augment import ViewList
from sslcore.distributed import gather, max_over_ranks, mean_over_ranks, rank, sum_over_ranks, world_size
from sslcore.masks import BlockMasks, context_and_targets, random_masks, square_masks
from sslcore.methods import METHODS, Method, ibot

STEPS = 3
BATCH = 8
OPTIONS: dict[str, dict[str, Any]] = {
    "ibot": {"drop_path": 0.0},
    "simmim": {"drop_path": 0.0},
    "dinov2": {"drop_path": 0.0, "koleo_weight": 0.0},  # neighbours are those of a process, as published
    "msn": {"mask_ratio": 0.0},
    "pmsn": {"mask_ratio": 0.0},
    "mocov2": {"symmetric": True},
    "smog": {"regroup_steps": 2, "num_groups": 4, "queue_size": 12},
    "swav": {"queue_start_epoch": 0, "queue_size": 16, "frozen_prototype_epochs": 0},
}
"""What brings memory into play within three steps, and leaves out what is of one process by design."""


def load_helpers() -> Any:
    """Import the conftest beside this file, which a script cannot get as fixtures."""
    spec = importlib.util.spec_from_file_location("helpers", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    helpers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helpers)
    return helpers


def own_slice() -> slice:
    share = BATCH // world_size()
    return slice(rank() * share, (rank() + 1) * share)


def own_rows(views: ViewList) -> ViewList:
    rows = own_slice()
    return ViewList((view[rows] for view in views), (box[rows] for box in views.boxes))


def fix_batch_norm(method: Method) -> None:
    for module in method.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


@contextmanager
def masks_of_the_whole_batch() -> Iterator[None]:
    """Let every process hide in its rows what one process with the whole batch hides in them."""

    def seeded(draw: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            return draw(*arguments, **settings)

    def own(draw: Callable[..., Any]) -> Callable[..., Any]:
        def drawn(batch_size: int, *arguments: Any, **settings: Any) -> Any:
            assert batch_size * world_size() == BATCH
            whole = seeded(draw, BATCH, *arguments, **settings)
            parts = [each[own_slice()] for each in whole]
            return type(whole)(*parts) if hasattr(whole, "_fields") else tuple(parts)

        return drawn

    draw_blocks = ibot.IBOT.draw_masks

    def own_blocks(self: ibot.IBOT, global_views: torch.Tensor) -> BlockMasks:
        every = global_views.new_empty(ibot.NUM_GLOBAL * BATCH, *global_views.shape[1:])
        whole = seeded(draw_blocks, self, every).mask.unflatten(0, (ibot.NUM_GLOBAL, BATCH))
        mask = whole[:, own_slice()].flatten(0, 1)
        image, _ = mask.nonzero(as_tuple=True)
        return BlockMasks(mask, mask.flatten().nonzero()[:, 0], 1 / mask.sum(dim=1)[image].float())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sslcore.methods.mae.random_masks", own(random_masks))
        patch.setattr("sslcore.methods.simmim.square_masks", own(square_masks))
        patch.setattr("sslcore.methods.ijepa.context_and_targets", own(context_and_targets))
        patch.setattr(ibot.IBOT, "draw_masks", own_blocks)
        yield


def train(name: str, helpers: Any) -> dict[str, Any]:
    """Take a few steps and return losses, gradients of the last step and the state in the end."""
    method = helpers.build_method(name, **OPTIONS.get(name, {}))
    fix_batch_norm(method)
    wrapped = DistributedDataParallel(method) if world_size() > 1 else None
    with masks_of_the_whole_batch():
        losses = [
            helpers.training_step(
                method,
                own_rows(helpers.random_views(name, seed=number, batch=BATCH)),
                number=number,
                wrapped=wrapped,
            )
            for number in range(STEPS)
        ]
    gradients = {key: each.grad for key, each in method.named_parameters() if each.grad is not None}
    return {
        "losses": mean_over_ranks(torch.stack(losses)),
        "gradients": gradients,
        "state": method.state_dict(),
    }


def primitives() -> dict[str, torch.Tensor]:
    """Return what each function of sslcore.distributed makes of rows that differ between the processes."""
    x = (torch.arange(6.0).reshape(2, 3) + 10 * rank()).requires_grad_()
    weights = torch.arange(12.0).reshape(4, 3) * (1 + rank())
    found = {"gather": gather(x), "sum": sum_over_ranks(x), "mean": mean_over_ranks(x)}
    loss = (found["gather"] * weights).sum() + 3 * found["sum"].sum() + 5 * found["mean"].sum()
    (found["gradient"],) = torch.autograd.grad(loss, x)
    return {key: each.detach() for key, each in {**found, "max": max_over_ranks(x)}.items()}


def main(number: int, folder: Path) -> None:
    """Be one of two processes."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=number, world_size=2)
    helpers = load_helpers()
    results = {name: train(name, helpers) for name in METHODS}
    torch.save({"methods": results, "primitives": primitives()}, folder / f"{number}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("two")
    root = str(Path(sslcore.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, __file__, str(number), str(folder)], env=environment)
        for number in range(2)
    ]
    assert [each.wait(timeout=300) for each in started] == [0, 0]
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in range(2)]


def test_primitives_and_their_gradients_by_hand(two_processes: list[Any]) -> None:
    rows = torch.arange(6.0).reshape(2, 3)
    weights = torch.arange(12.0).reshape(4, 3)
    for number, found in enumerate(each["primitives"] for each in two_processes):
        assert torch.equal(found["gather"], torch.cat((rows, rows + 10)))
        assert torch.equal(found["sum"], 2 * rows + 10)
        assert torch.equal(found["mean"], rows + 5)
        assert torch.equal(found["max"], rows + 10)
        # Summed over both processes: the weights and twice them, 3 from each sum, 5 / 2 from each mean.
        expected = 3 * weights[2 * number : 2 * number + 2] + 2 * 3 + 2 * 5 / 2
        assert torch.equal(found["gradient"], expected)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return how long the difference is, as a share of what was expected; a sum in another order is 1e-5."""
    return float((found - expected).float().norm() / (expected.float().norm() + 1e-3))


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_are_one_with_the_whole_batch(name: str, two_processes: list[Any]) -> None:
    alone = train(name, load_helpers())
    for found in (each["methods"][name] for each in two_processes):
        torch.testing.assert_close(found["losses"], alone["losses"], rtol=1e-4, atol=1e-5)
        for kind in ("gradients", "state"):
            assert list(found[kind]) == list(alone[kind])
            off = {key: distance(found[kind][key], each) for key, each in alone[kind].items()}
            assert {key: each for key, each in off.items() if each > 1e-3} == {}, kind


def test_without_a_group_all_functions_return_what_they_get() -> None:
    x = torch.rand(3, 2)
    assert (world_size(), rank()) == (1, 0)
    assert all(torch.equal(each(x), x) for each in (gather, sum_over_ranks, mean_over_ranks, max_over_ranks))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
