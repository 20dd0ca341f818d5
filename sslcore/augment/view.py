"""A view: a crop, then steps, then normalization. And a set of views of the same images."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, cast

import torch
from torch import Generator, Tensor, nn

from sslcore.allocation import keep_freed_memory
from sslcore.augment.crop import crop_cutter, crop_shares
from sslcore.augment.kernels import view_kernels
from sslcore.augment.normalize import IMAGENET, Normalization
from sslcore.augment.resample import copy_planes
from sslcore.augment.rotate import RandomQuarterTurn, RandomRotation
from sslcore.augment.step import Drawn, Step
from sslcore.augment.view_list import ViewList
from sslcore.compiled import as_array, over_pieces
from sslcore.errors import ConfigError

__all__ = ["Crop", "MultiView", "Resize", "View"]

CACHED = 2**18
"""Numbers that a piece of a batch may have on the CPU: few enough for its caches, many
enough that calls do not count."""


class Crop(Protocol):
    """What a view begins with: RandomResizedCrop, Resize, or anything like them."""

    size: int

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw ``boxes``, int64 [B, 4] of top, left, height, width, and ``flips``, bool [B, 2]."""

    def cutter(self, images: Tensor, drawn: Drawn) -> Callable[[slice], Tensor]:
        """Return a function from a slice of uint8 or float [B, C, H, W] to float 0..1 [n, C, size, size]."""


class Resize(nn.Module):
    """Resize the whole image to a square, with antialiasing, and without any chance.

    Args:
        size: Side of the result in pixels.
        interpolation: bilinear or bicubic.
    """

    def __init__(self, size: int, *, interpolation: str = "bilinear") -> None:
        super().__init__()
        self.size, self.interpolation = size, interpolation

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Return boxes of the whole image."""
        boxes = torch.zeros(shape[0], 4, dtype=torch.int64, device=device)
        boxes[:, 2], boxes[:, 3] = shape[2], shape[3]
        return {"boxes": boxes, "flips": torch.zeros(shape[0], 2, dtype=torch.bool, device=device)}

    def cutter(self, images: Tensor, drawn: Drawn) -> Callable[[slice], Tensor]:
        """Return a function from a slice of uint8 or float [B, C, H, W] to float 0..1 [n, C, size, size]."""
        return crop_cutter(images, drawn["boxes"], self.size, None, self.interpolation)


class View(nn.Module):
    """One view of each image: a crop, then steps in their order, then normalization.

    Args:
        crop: What cuts out and resizes.
        steps: What changes the cut.
        normalization: Mean and standard deviation per channel; None leaves values at 0..1.
    """

    def __init__(
        self, crop: Crop, steps: Iterable[Step] = (), *, normalization: Normalization | None = IMAGENET
    ) -> None:
        super().__init__()
        self.crop = crop
        self.steps = nn.ModuleList(steps)
        self.normalization = normalization
        self._scale_and_shift: dict[tuple[torch.device, int], tuple[Tensor, Tensor]] = {}

    @property
    def keeps_boxes(self) -> bool:
        """Whether a view is its crop's box and nothing turned."""
        return not any(isinstance(each, RandomRotation | RandomQuarterTurn) for each in self.steps)

    def draw(
        self, shape: torch.Size, device: torch.device, generator: Generator | None = None
    ) -> list[Drawn]:
        """Draw all chance of a batch [B, C, H, W]: the crop's, then each step's."""
        cut = torch.Size((shape[0], shape[1], self.crop.size, self.crop.size))
        steps = [cast(Step, each).draw(cut, device, generator) for each in self.steps]
        return [self.crop.draw(shape, device, generator), *steps]

    def make(self, images: Tensor, drawn: Sequence[Drawn]) -> Tensor:
        """Map uint8 or float 0..1 [B, C, H, W] to normalized float [B, C, size, size] as drawn.

        On the CPU a batch is worked through in pieces that fit the cache.
        """
        batch, channels, size = len(images), images.shape[1], self.crop.size
        self._check(channels)
        cut = self.crop.cutter(images, drawn[0])
        if images.device.type != "cpu":
            return self._finish(cut(slice(None)), drawn[1:]).contiguous(memory_format=torch.channels_last)
        keep_freed_memory()
        made = torch.empty(batch, channels, size, size)

        def fill(piece: slice) -> None:
            rows = [{name: value[piece] for name, value in each.items()} for each in drawn[1:]]
            self._finish_into(made[piece], cut(piece), rows)

        threads = 1 if view_kernels(images) is None else None
        over_pieces(fill, total=batch, size=max(1, CACHED // (channels * size**2)), threads=threads)
        return made

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map uint8 or float 0..1 [B, C, H, W] to normalized float [B, C, size, size]."""
        return self.make(images, self.draw(images.shape, images.device, generator))

    @torch.no_grad()
    def _finish_into(self, target: Tensor, images: Tensor, drawn: Sequence[Drawn]) -> None:
        """Take the steps, normalize and write what comes of it, on the CPU."""
        if self.normalization is None or (kernels := view_kernels(images)) is None:
            copy_planes(target, self._finish(images, drawn))
            return
        images = self._change(images, drawn)
        scale, shift = (
            as_array(each.flatten().expand(images.shape[1]))
            for each in self._normalizing(self.normalization, images.device)
        )
        kernels.scale_into(as_array(images.flatten(2)), scale, shift, as_array(target.flatten(2)))

    def _change(self, images: Tensor, drawn: Sequence[Drawn]) -> Tensor:
        for step, each in zip(self.steps, drawn, strict=True):
            images = cast(Step, step).change(images, each)
        return images

    def _finish(self, images: Tensor, drawn: Sequence[Drawn]) -> Tensor:
        """Take the steps and normalize, in place where it can be."""
        images = self._change(images, drawn)
        if self.normalization is None:
            return images
        scale, shift = self._normalizing(self.normalization, images.device)
        return images.mul_(scale).add_(shift)

    def _normalizing(self, normalization: Normalization, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return what to multiply by and what to add; kept, since copying them would make a GPU wait."""
        key = (device, hash(normalization))
        if key not in self._scale_and_shift:
            mean, std = (
                torch.tensor(each, device=device).view(1, -1, 1, 1)
                for each in (normalization.mean, normalization.std)
            )
            self._scale_and_shift[key] = (1 / std, -mean / std)
        return self._scale_and_shift[key]

    def _check(self, channels: int) -> None:
        if self.normalization is not None and len(self.normalization.mean) not in (1, channels):
            raise ConfigError(
                f"images have {channels} channels and the normalization has {len(self.normalization.mean)}: "
                "give one mean and one std per channel"
            )


class MultiView(nn.Module):
    """Several views of each image.

    A generator of the same state gives the same views, exactly; another split into batches gives others.

    Args:
        views: The views; the same module may be there more than once.
    """

    def __init__(self, views: Iterable[View]) -> None:
        super().__init__()
        self.views = nn.ModuleList(views)
        if not self.views:
            raise ConfigError("a set of views needs at least one view")

    @property
    def num_views(self) -> int:
        """How many views of each image."""
        return len(self.views)

    @torch.no_grad()
    def forward(self, images: Tensor, generator: Generator | None = None) -> ViewList:
        """Make the views.

        Args:
            images: uint8 0..255 or float 0..1 [B, C, H, W].
            generator: Source of all chance, on any device; None takes the images' device's own.

        Returns:
            Normalized float32 [B, C, size, size] each, and where each was cut out, unless a view was turned.
        """
        views = [cast(View, each) for each in self.views]
        # Views stay exact in a caller's autocast block, whose products would be bf16.
        with torch.autocast(images.device.type, enabled=False):
            drawn = [each.draw(images.shape, images.device, generator) for each in views]
            made = [view.make(images, each) for view, each in zip(views, drawn, strict=True)]
        if not all(each.keeps_boxes for each in views):
            return ViewList(made)
        return ViewList(made, [crop_shares(each[0], images.shape) for each in drawn])
