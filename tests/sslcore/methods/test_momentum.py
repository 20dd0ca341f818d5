"""The moving teacher, its schedule, the queue and the shuffling, by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from sslcore.methods import Progress
from sslcore.methods.kmeans import spherical_kmeans
from sslcore.methods.momentum import cosine_momentum, momentum_copy, update_momentum
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.queue import FeatureQueue
from sslcore.methods.rates import scaled_lr
from sslcore.methods.shuffle import encode_shuffled


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_parameters_move_by_the_share_and_buffers_are_copied() -> None:
    student = network()
    teacher = momentum_copy(student)
    before = [each.clone() for each in teacher.parameters()]
    with torch.no_grad():
        for each in student.parameters():
            each.add_(torch.randn_like(each))
    student(torch.randn(8, 3))
    update_momentum(teacher, student, 0.9)
    for old, mine, theirs in zip(before, teacher.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(mine, 0.9 * old + 0.1 * theirs)
    assert all(torch.equal(a, b) for a, b in zip(teacher.buffers(), student.buffers(), strict=True))
    assert int(teacher[1].num_batches_tracked) == 1  # type: ignore[arg-type]


def test_a_copy_takes_no_gradients_and_leaves_the_original_as_it_is() -> None:
    student = network()
    teacher = momentum_copy(student)
    assert not any(each.requires_grad for each in teacher.parameters())
    assert all(each.requires_grad for each in student.parameters())


@pytest.mark.parametrize("momentum", [0.0, 1.0])
def test_the_ends_are_exact(momentum: float) -> None:
    student = network()
    teacher = momentum_copy(network())
    kept = [each.clone() for each in teacher.parameters()]
    update_momentum(teacher, student, momentum)
    expected = kept if momentum else list(student.parameters())
    assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), expected, strict=True))


def test_a_momentum_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"momentum must be in 0..1, got 1.5"):
        update_momentum(network(), network(), 1.5)


def test_the_cosine_rises_from_start_to_end() -> None:
    def at(step: int) -> float:
        return cosine_momentum(Progress(step=step, total_steps=101, steps_per_epoch=10), 0.99, 1.0)

    assert at(0) == pytest.approx(0.99)
    assert at(100) == pytest.approx(1.0)
    assert at(25) == pytest.approx(1 - 0.01 * (math.cos(math.pi / 4) + 1) / 2)


def test_a_queue_overwrites_the_oldest() -> None:
    queue = FeatureQueue(5, 1)
    for start in (0, 3, 6):
        queue.push(torch.arange(start, start + 3.0)[:, None])
    assert queue.features.flatten().tolist() == [5.0, 6.0, 7.0, 8.0, 4.0]
    assert int(queue.position) == 4


def test_a_queue_is_full_when_nothing_is_left_of_its_beginning() -> None:
    queue = FeatureQueue(5, 2)
    queue.push(torch.zeros(4, 2))
    assert not queue.is_full
    queue.push(torch.zeros(1, 2))
    assert queue.is_full


def test_more_than_a_queue_holds_leaves_the_last() -> None:
    queue = FeatureQueue(2, 1)
    queue.push(torch.arange(7.0)[:, None])
    assert queue.features.flatten().tolist() == [5.0, 6.0]


def test_a_queue_starts_with_unit_vectors() -> None:
    torch.testing.assert_close(FeatureQueue(6, 4).features.norm(dim=1), torch.ones(6))


@pytest.mark.parametrize("num_groups", [1, 2, 3, 100])
def test_shuffled_keys_come_back_in_order(num_groups: int) -> None:
    sizes: list[int] = []

    def encode(images: Tensor) -> tuple[Tensor, ...]:
        sizes.append(len(images))
        return images.sum(dim=1), 2 * images

    images = torch.arange(21.0).reshape(7, 3)
    first, second = encode_shuffled(encode, images, num_groups=num_groups)
    assert torch.equal(first, images.sum(dim=1))
    assert torch.equal(second, 2 * images)
    assert len(sizes) == min(num_groups, 3)
    assert min(sizes) >= 2


def test_groups_are_drawn_anew_each_time() -> None:
    groups: list[list[float]] = []

    def encode(images: Tensor) -> tuple[Tensor, ...]:
        groups.append(images[:, 0].tolist())
        return (images,)

    for _ in range(2):
        encode_shuffled(encode, torch.arange(8.0)[:, None], num_groups=2)
    assert groups[0] != groups[2]
    assert sorted(groups[0] + groups[1]) == list(range(8))


def test_views_of_a_size_go_through_together_and_come_back_apart() -> None:
    calls: list[tuple[int, ...]] = []

    def encode(images: Tensor) -> Tensor:
        calls.append(tuple(images.shape))
        return images.mean(dim=(1, 2, 3))

    views = [torch.full((2, 3, side, side), float(n)) for n, side in enumerate((8, 8, 4, 4, 4))]
    encoded = encode_by_size(encode, views)
    assert calls == [(4, 3, 8, 8), (6, 3, 4, 4)]
    assert [each.tolist() for each in encoded] == [[float(n)] * 2 for n in range(5)]


def test_kmeans_finds_bundles_of_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    bundles = torch.eye(3)[torch.arange(30) % 3] * 5 + 0.1 * torch.randn(30, 3, generator=generator)
    centres = spherical_kmeans(bundles, 3)
    torch.testing.assert_close(centres.norm(dim=1), torch.ones(3))
    found = (centres @ torch.eye(3)).argmax(dim=1).tolist()
    assert sorted(found) == [0, 1, 2]


def test_rates_follow_the_batch_by_each_optimizers_rule() -> None:
    assert scaled_lr("sgd", 512, sgd=0.1, lars=0.2) == pytest.approx(0.2)
    assert scaled_lr("lars", 128, sgd=0.1, lars=0.2) == pytest.approx(0.1)
    assert scaled_lr("adamw", 1024, sgd=0.1, lars=0.2, adamw=1e-3) == pytest.approx(2e-3)
