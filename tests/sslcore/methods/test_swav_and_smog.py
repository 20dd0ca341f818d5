"""What SwAV and SMoG do over several steps: queue, frozen prototypes, regrouping."""

from collections.abc import Callable
from typing import Any

import torch

from sslcore.methods import Progress, SMoG, SwAV

Make = Callable[..., Any]


def test_the_queue_takes_part_from_its_epoch_when_it_is_full(
    make_method: Make, make_views: Make, take_step: Make
) -> None:
    settings = {"queue_size": 12, "frozen_prototype_epochs": 0}
    with_queue: SwAV = make_method("swav", queue_start_epoch=1, **settings)
    without: SwAV = make_method("swav", queue_start_epoch=100, **settings)
    differs = []
    for number in range(6):  # two steps an epoch, six samples a step: filled in steps 2 and 3
        views = make_views("swav", seed=number)
        without.backbone.load_state_dict(with_queue.backbone.state_dict())
        without.projection_head.load_state_dict(with_queue.projection_head.state_dict())
        without.prototypes.load_state_dict(with_queue.prototypes.state_dict())
        losses = [take_step(each, views, number=number) for each in (with_queue, without)]
        differs.append(not torch.equal(*losses))
    assert differs == [False] * 4 + [True] * 2


def test_prototypes_rest_in_the_first_epoch_and_keep_unit_length(
    make_method: Make, make_views: Make, take_step: Make
) -> None:
    method: SwAV = make_method("swav")
    start = method.prototypes.weight.detach().clone()
    for number in range(2):
        take_step(method, make_views("swav"), number=number)
        torch.testing.assert_close(method.prototypes.weight, start)
    take_step(method, make_views("swav"), number=2)
    assert not torch.allclose(method.prototypes.weight, start)
    torch.testing.assert_close(method.prototypes.weight.norm(dim=1), torch.ones(len(start)))


def test_groups_are_made_anew_from_the_queue_when_it_holds_enough(make_method: Make) -> None:
    method: SMoG = make_method("smog", num_groups=4, regroup_steps=3, queue_size=16)
    start = method.groups.clone()
    progress = Progress(step=3, total_steps=10, steps_per_epoch=2)
    method.before_step(progress)
    assert torch.equal(method.groups, start)  # nothing in the queue yet
    method.queue.push(torch.eye(64)[:8])
    method.before_step(Progress(step=4, total_steps=10, steps_per_epoch=2))
    assert torch.equal(method.groups, start)
    method.before_step(progress)
    torch.testing.assert_close(method.groups.sum(dim=0)[8:], torch.zeros(56))


def test_symmetric_moco_pushes_the_keys_of_both_views(
    make_method: Make, make_views: Make, take_step: Make
) -> None:
    for symmetric, expected in ((False, 6), (True, 12)):
        method = make_method("mocov2", symmetric=symmetric)
        take_step(method, make_views("mocov2"))
        assert int(method.queue.num_pushed) == expected
