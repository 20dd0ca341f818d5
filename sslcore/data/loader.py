"""Batches of uint8 images from the store, in an order that depends on the seed and the epoch only."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sslcore.data.dataset import SampleDataset
from sslcore.data.samplers import EpochSampler, PositionedSampler

__all__ = ["ImageLoader", "image_loader"]


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


class ImageLoader(DataLoader[tuple[Tensor, Tensor]]):
    """A DataLoader that tells its sampler of each batch that it hands over; see `image_loader`."""

    sampler: PositionedSampler

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:  # type: ignore[override]
        for images, indices in super().__iter__():
            self.sampler.advance(len(indices))
            yield images, indices


def image_loader(
    dataset: SampleDataset,
    *,
    batch_size: int,
    shuffle: bool = False,
    drop_last: bool = False,
    num_workers: int = 0,
    seed: int = 0,
    pin_memory: bool = False,
    sampler: PositionedSampler | None = None,
) -> ImageLoader:
    """Return a loader of (uint8 [B, 3, S, S], int64 [B]: indices into ``dataset.manifest``).

    ``loader.sampler.set_epoch(e)`` shuffles anew; the order depends on ``seed`` and the epoch only, never on
    ``num_workers``, and torch's global random state is left alone. ``loader.sampler.state_dict()`` says after
    how many samples it stands: of the batches that were handed over, not of those that workers have read
    ahead.

    Args:
        dataset: With an ``image_size``.
        batch_size: Images in a batch.
        shuffle: Shuffle in each epoch.
        drop_last: Leave out a last batch that is not full.
        num_workers: Processes that decode; 0 decodes in this one.
        seed: Of the shuffling.
        pin_memory: Copy batches to pinned memory, for a GPU.
        sampler: Which samples in which order, for ranks or for balanced groups; ``shuffle`` and ``seed`` are
            then the sampler's business.

    Raises:
        ValueError: If the dataset has no ``image_size``.
    """
    if dataset.image_size is None:
        raise ValueError("image_loader needs images of one size: make the dataset with image_size")
    return ImageLoader(
        _Stacked(dataset),
        batch_size=batch_size,
        sampler=sampler if sampler is not None else EpochSampler(len(dataset), shuffle=shuffle, seed=seed),
        num_workers=num_workers,
        collate_fn=_as_it_is,
        pin_memory=pin_memory,
        drop_last=drop_last,
        persistent_workers=num_workers > 0,
        generator=torch.Generator().manual_seed(seed),
    )
