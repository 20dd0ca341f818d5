"""Batches of uint8 images from the store, in an order that depends on the seed and the epoch only."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sslcore.data.dataset import SampleDataset

__all__ = ["EpochSampler", "image_loader"]


class EpochSampler(Sampler[int]):
    """Indices 0 .. n-1, in order or shuffled anew in each epoch.

    Args:
        num_samples: How many there are.
        shuffle: Shuffle them; the order depends on ``seed`` and the epoch only.
        seed: Of the shuffling.
    """

    def __init__(self, num_samples: int, *, shuffle: bool, seed: int = 0) -> None:
        self.num_samples = num_samples
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(self.num_samples))
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, self.epoch]))
        return iter(generator.permutation(self.num_samples).tolist())


class _Stacked(Dataset[tuple[Tensor, Tensor]]):
    """Hands the loader whole batches, so that there is no Python object per image."""

    def __init__(self, samples: SampleDataset) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.samples.batch([index])

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        return self.samples.batch(indices)


def _as_it_is(batch: Any) -> Any:
    return batch


def image_loader(
    dataset: SampleDataset,
    *,
    batch_size: int,
    shuffle: bool = False,
    drop_last: bool = False,
    num_workers: int = 0,
    seed: int = 0,
    pin_memory: bool = False,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Return a loader of (uint8 [B, 3, S, S], int64 [B]: indices into ``dataset.manifest``).

    ``loader.sampler.set_epoch(e)`` shuffles anew; the order depends on ``seed`` and the epoch only, never on
    ``num_workers``, and torch's global random state is left alone.

    Args:
        dataset: With an ``image_size``.
        batch_size: Images in a batch.
        shuffle: Shuffle in each epoch.
        drop_last: Leave out a last batch that is not full.
        num_workers: Processes that decode; 0 decodes in this one.
        seed: Of the shuffling.
        pin_memory: Copy batches to pinned memory, for a GPU.

    Raises:
        ValueError: If the dataset has no ``image_size``.
    """
    if dataset.image_size is None:
        raise ValueError("image_loader needs images of one size: make the dataset with image_size")
    return DataLoader(
        _Stacked(dataset),
        batch_size=batch_size,
        sampler=EpochSampler(len(dataset), shuffle=shuffle, seed=seed),
        num_workers=num_workers,
        collate_fn=_as_it_is,
        pin_memory=pin_memory,
        drop_last=drop_last,
        persistent_workers=num_workers > 0,
        generator=torch.Generator().manual_seed(seed),
    )
