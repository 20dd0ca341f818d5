"""Views made by per-image transforms of one's own, in the workers of any DataLoader."""

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

__all__ = ["ViewsCollate"]

Transform = Callable[..., Any]


class ViewsCollate:
    """A ``collate_fn`` that makes the views of each image and stacks them: ``(views, *rest)``.

    ``views`` is a list of tensors [B, ...], one per view; the rest of each item (index, or label and file
    name) is collated as a DataLoader does it. For transforms of torchvision (v2 on tensors, v1 with
    ``given="pil"``), of albumentations (which get an array and give ``{"image": array}``), or any callable.

    The chance that a transform takes from torch, numpy or random is a function of ``(seed, epoch, image,
    view)``, whatever the number of workers and the order; the global states are left as they were.

    Args:
        transforms: One transform, called ``num_views`` times, or a list with one for each view. One that
            returns a list gives as many views.
        num_views: How often a single transform is called.
        seed: Of the views.
        given: What a transform gets: ``tensor`` uint8 [3, H, W], ``pil``, or ``numpy`` uint8 [H, W, 3].

    Raises:
        ValueError: If there are no transforms or ``num_views`` is below 1.
    """

    def __init__(
        self,
        transforms: Transform | Sequence[Transform],
        *,
        num_views: int = 2,
        seed: int = 0,
        given: Literal["tensor", "pil", "numpy"] = "tensor",
    ) -> None:
        self.transforms = [transforms] * num_views if callable(transforms) else list(transforms)
        if not self.transforms:
            raise ValueError("ViewsCollate needs at least one view")
        self.seed = seed
        self.given = given
        epoch: Any = torch.zeros((), dtype=torch.int64)
        self._epoch: Tensor = epoch.share_memory_()  # workers that persist see it

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, before its first batch is fetched."""
        self._epoch.fill_(epoch)

    def __call__(self, items: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Make the views of items ``(image, ...)``: a uint8 tensor [3, H, W] or a PIL image, and the rest."""
        with _states_kept():
            made = [self._views(item) for item in items]
        counts = {len(each) for each in made}
        if len(counts) != 1:
            raise ValueError(
                f"the transforms gave {min(counts)} views of one image and {max(counts)} of another"
            )
        views = [torch.stack(images) for images in zip(*made, strict=True)]
        return (views, *default_collate([item[1:] for item in items]))

    def _views(self, item: tuple[Any, ...]) -> list[Tensor]:
        key = next((each for each in item[1:] if isinstance(each, str)), item[1] if len(item) > 1 else 0)
        number = zlib.crc32(key.encode()) if isinstance(key, str) else int(key)
        views: list[Tensor] = []
        for place, transform in enumerate(self.transforms):
            _seed(np.random.SeedSequence([self.seed, int(self._epoch), number, place]), transform)
            result = self._apply(transform, item[0])
            views += [_as_tensor(each) for each in (result if isinstance(result, list | tuple) else [result])]
        return views

    def _apply(self, transform: Transform, image: Any) -> Any:
        if type(transform).__module__.partition(".")[0] == "albumentations":
            return transform(image=np.ascontiguousarray(_as_array(image)))["image"]
        if self.given == "tensor":
            return transform(_as_tensor(image))
        array = np.ascontiguousarray(_as_array(image))
        return transform(Image.fromarray(array) if self.given == "pil" else array)


def _as_array(image: Any) -> Any:
    return image.permute(1, 2, 0).numpy() if isinstance(image, Tensor) else np.array(image)


def _as_tensor(image: Any) -> Tensor:
    if isinstance(image, Tensor):
        return image
    array = np.array(image)
    return (
        torch.from_numpy(array).permute(2, 0, 1).contiguous() if array.ndim == 3 else torch.from_numpy(array)
    )


def _seed(sequence: np.random.SeedSequence, transform: Transform) -> None:
    first, second, third, fourth = (int(word) for word in sequence.generate_state(4))
    torch.default_generator.manual_seed(first)
    np.random.seed(second)
    random.seed(third)
    own = getattr(transform, "set_random_seed", None)  # albumentations has its own chance
    if own is not None:
        own(fourth)


@contextmanager
def _states_kept() -> Iterator[None]:
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
