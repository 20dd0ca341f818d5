"""Where the loop's images come from: memory if they fit, else the store; from any batch of any epoch on."""

import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from sslcore import distributed
from sslcore.config import PretrainConfig
from sslcore.data import EpochSampler, SampleDataset, image_loader
from sslcore.errors import UserError
from sslcore.training.loop import Batches

__all__ = ["global_batch_size", "load_size", "make_batches"]

log = logging.getLogger(__name__)


def load_size(config: PretrainConfig, samples: SampleDataset) -> int:
    """Return the side at which images are read: an eighth more than a view, as far as they have it."""
    sides = samples.manifest[["width", "height"]].min(axis=1)
    native = int(sides.median()) if len(sides) else config.image_size
    return min(max(config.image_size, native), round(config.image_size * 8 / 7))


def global_batch_size(wanted: int, *, num_samples: int, accumulate: int = 1) -> int:
    """Return the samples per optimizer step: what is wanted or there is, in equal parts for all processes.

    Raises:
        UserError: If there are fewer than two samples for each part.
    """
    parts = distributed.world_size() * accumulate
    size = min(wanted, num_samples) // parts * parts
    if size < 2 * parts:
        each = "" if parts == 1 else f" for each of the {parts} parts of a batch"
        raise UserError(
            f"there are {num_samples} training samples and at least 2 are needed{each}: add "
            f"images to the source, or raise pretrain.batch_size, now {wanted}"
        )
    return size


def make_batches(
    config: PretrainConfig, samples: SampleDataset, batch_size: int, device: torch.device
) -> Batches:
    """Return a function from an epoch and the batches of it that are done to the rest of them.

    The order is a function of the seed and the epoch alone; each process gets its share of every batch.

    Args:
        config: For the seed, how many processes decode, and what fits into memory.
        samples: The training split, with an image size.
        batch_size: Of all processes together.
        device: Where cached images are kept.
    """
    assert samples.image_size is not None
    sampler = EpochSampler(
        len(samples),
        shuffle=True,
        seed=config.seed,
        rank=distributed.rank(),
        num_ranks=distributed.world_size(),
    )
    own_size = batch_size // distributed.world_size()

    def position(epoch: int, batches_done: int) -> None:
        here = {"epoch": epoch, "position": batches_done * batch_size}
        sampler.load_state_dict({**sampler.state_dict(), **here})

    needed = len(samples) * 3 * samples.image_size**2
    if needed <= config.cache_megabytes * 1e6:
        cached = _decoded(samples, config.num_workers).to(device)

        def from_memory(epoch: int, batches_done: int) -> Iterator[Tensor]:
            position(epoch, batches_done)
            order = torch.from_numpy(sampler.indices().copy()).to(device)
            for start in range(0, len(order) - own_size + 1, own_size):
                yield cached[order[start : start + own_size]]

        return from_memory
    loader = image_loader(
        samples,
        batch_size=own_size,
        drop_last=True,
        num_workers=config.num_workers,
        seed=config.seed,
        pin_memory=device.type == "cuda",
        sampler=sampler,
    )

    def from_store(epoch: int, batches_done: int) -> Iterator[Tensor]:
        position(epoch, batches_done)
        return (images for images, _ in loader)

    return from_store


def _decoded(samples: SampleDataset, num_workers: int) -> Tensor:
    loader = image_loader(samples, batch_size=512, num_workers=num_workers)
    return torch.cat([images for images, _ in loader])
