"""Views of one batch after the other; on a GPU they are made on a stream of their own while a step runs."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

__all__ = ["Views", "seeded", "view_stream"]

Parts = list[Sequence[Tensor]]


class Views(Protocol):
    """Anything that makes views: ``views(images, generator) -> list of [B, C, h, w]``."""

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Sequence[Tensor]:
        """Make them; all chance comes from the generator."""


def seeded(generator: Generator, *entropy: int) -> Generator:
    """Seed a generator with several numbers, all of which matter; return it."""
    state = np.random.SeedSequence(list(entropy)).generate_state(1, np.uint64)
    return generator.manual_seed(int(state[0] >> 1))


def view_stream(
    batches: Iterator[Tensor],
    views: Views,
    *,
    device: torch.device,
    seed: int,
    rank: int = 0,
    first_step: int = 0,
    accumulate: int = 1,
) -> Iterator[Parts]:
    """Make the views of each batch, in ``accumulate`` parts.

    The chance in them is a function of (seed, step, rank) alone: whoever goes on at a step gets the same, and
    nothing has to be remembered.

    Args:
        batches: uint8 [B, C, H, W].
        views: Makes the views of a batch.
        device: Where to make them.
        seed: Of the run.
        rank: Of this process.
        first_step: The step of the first batch.
        accumulate: In how many parts each batch is handed over.
    """
    generator = Generator(device)

    def make(images: Tensor, step: int) -> Parts:
        seeded(generator, seed, step, rank)
        moved = images.to(device, non_blocking=True)
        return [views(part, generator) for part in moved.chunk(accumulate)]

    if device.type == "cuda":
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        yield from _one_ahead(batches, make, first_step, stream)
        return
    for number, images in enumerate(batches):
        yield make(images, first_step + number)


def _one_ahead(
    batches: Iterator[Tensor], make: "_Make", step: int, stream: torch.cuda.Stream
) -> Iterator[Parts]:
    """Queue the views of the next batch on ``stream`` as soon as the kernels of a step are queued."""
    main = torch.cuda.current_stream()
    stream.wait_stream(main)

    def launch() -> tuple[Parts, torch.cuda.Event] | None:
        with torch.cuda.stream(stream):
            images = next(batches, None)
            return None if images is None else (make(images, step), stream.record_event())

    ahead = launch()
    while ahead is not None:
        parts, made = ahead
        main.wait_event(made)
        for part in parts:
            for tensor in (*part, *getattr(part, "boxes", ())):
                tensor.record_stream(main)
        yield parts
        step += 1
        ahead = launch()


class _Make(Protocol):
    def __call__(self, images: Tensor, step: int) -> Parts: ...
