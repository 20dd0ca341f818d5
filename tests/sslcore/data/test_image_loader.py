"""Batches in an order that depends on seed and epoch only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sslcore.data import EpochSampler, SampleDataset, image_loader


@pytest.fixture
def samples(
    tmp_path: Path, write_image: Callable[..., Path], run_ingest: Callable[..., object]
) -> SampleDataset:
    for seed in range(11):
        write_image(tmp_path / f"source/{seed:02d}.png", seed)
    run_ingest("source", tmp_path / "out")
    return SampleDataset(tmp_path / "out", image_size=8)


def order(loader: Any, epoch: int = 0) -> list[int]:
    loader.sampler.set_epoch(epoch)
    return [int(number) for _, numbers in loader for number in numbers]


def test_batches_hold_the_images_of_their_indices(samples: SampleDataset) -> None:
    batches = list(image_loader(samples, batch_size=4, shuffle=True, seed=1))
    assert [tuple(images.shape) for images, _ in batches] == [(4, 3, 8, 8), (4, 3, 8, 8), (3, 3, 8, 8)]
    for images, numbers in batches:
        assert (images.dtype, numbers.dtype) == (torch.uint8, torch.int64)
        assert images.is_contiguous()
        for image, number in zip(images, numbers, strict=True):
            torch.testing.assert_close(image, samples[int(number)][0], rtol=0, atol=0)


def test_without_shuffling_it_is_the_manifests_order(samples: SampleDataset) -> None:
    assert order(image_loader(samples, batch_size=4), epoch=3) == list(range(11))


def test_each_epoch_and_each_seed_has_its_own_order(samples: SampleDataset) -> None:
    loader = image_loader(samples, batch_size=4, shuffle=True, seed=5)
    orders = [order(loader, epoch) for epoch in range(3)]
    orders.append(order(image_loader(samples, batch_size=4, shuffle=True, seed=6)))
    assert all(sorted(each) == list(range(11)) for each in orders)
    assert len({tuple(each) for each in orders}) == 4
    assert order(loader, 1) == orders[1]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
def test_the_order_does_not_depend_on_workers(samples: SampleDataset) -> None:
    here, there = (
        image_loader(samples, batch_size=3, shuffle=True, seed=2, num_workers=workers) for workers in (0, 2)
    )
    for epoch in (0, 1):
        assert order(here, epoch) == order(there, epoch)


def test_the_global_random_state_is_left_alone(samples: SampleDataset) -> None:
    before = torch.random.get_rng_state()
    order(image_loader(samples, batch_size=3, shuffle=True))
    assert torch.equal(before, torch.random.get_rng_state())


def test_drop_last_leaves_out_the_rest(samples: SampleDataset) -> None:
    loader = image_loader(samples, batch_size=4, drop_last=True)
    assert len(loader) == 2
    assert order(loader) == list(range(8))


def test_a_size_is_needed(samples: SampleDataset) -> None:
    with pytest.raises(ValueError, match="make the dataset with image_size"):
        image_loader(SampleDataset(samples.path), batch_size=2)


def test_the_sampler_knows_its_length() -> None:
    assert len(EpochSampler(5, shuffle=True)) == 5


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_position_counts_batches_handed_over_not_those_read_ahead(
    samples: SampleDataset, num_workers: int
) -> None:
    loader = image_loader(samples, batch_size=2, shuffle=True, seed=3, num_workers=num_workers)
    whole = order(loader, epoch=4)
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    assert loader.sampler.position == 6
    resumed = image_loader(samples, batch_size=2, shuffle=True, seed=3)
    resumed.sampler.load_state_dict(loader.sampler.state_dict())
    assert order(resumed, epoch=4) == whole[6:]
    assert order(resumed, epoch=4) == whole


def test_a_sampler_of_ones_own_decides(samples: SampleDataset) -> None:
    sampler = EpochSampler(len(samples), shuffle=False, rank=1, num_ranks=2)
    assert order(image_loader(samples, batch_size=2, sampler=sampler)) == [1, 3, 5, 7, 9]
