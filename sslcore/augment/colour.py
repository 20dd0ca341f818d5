"""Colour jitter and greyscale of a batch, each sample with its own strengths and its own order.

The four adjustments are those of torchvision, clamped where torchvision clamps. Brightness, contrast and
saturation all blend an image with something (black, the mean of its luma, its luma), so that one pass does
whichever of the three is a sample's turn; only hue is different.
"""

import torch
from torch import Generator, Tensor

from sslcore.augment.hue import adjust_hue
from sslcore.augment.kernels import view_kernels
from sslcore.augment.step import Drawn, Step, chance, check_probability, on_chosen, put, take, uniform
from sslcore.compiled import as_array
from sslcore.errors import ConfigError

__all__ = ["ColourJitter", "RandomGreyscale", "adjust_brightness", "adjust_contrast", "adjust_saturation"]

LUMA = (0.2989, 0.587, 0.114)
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


class ColourJitter(Step):
    """Change brightness, contrast, saturation and hue at random, in random order.

    Saturation and hue leave images alone that do not have three channels; contrast then blends them with the
    mean of all their channels.

    Args:
        brightness: Factor drawn from max(0, 1 - b) .. 1 + b.
        contrast: Likewise.
        saturation: Likewise.
        hue: Shift drawn from -h .. h of the colour circle; at most 0.5.
        probability: Chance that a sample is changed at all.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        *,
        probability: float = 0.8,
    ) -> None:
        super().__init__()
        for name, value in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation)):
            if value < 0:
                raise ConfigError(f"{name} must be >= 0, got {value}")
        if not 0 <= hue <= 0.5:
            raise ConfigError(f"hue must be in 0..0.5, got {hue}")
        self.strengths = (brightness, contrast, saturation, hue)
        self.probability = check_probability("jitter_probability", probability)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw who is changed, each one's order, factors [B, 3] and hue shift [B]."""
        batch, colour = shape[0], shape[1] == 3
        chosen = chance(batch, self.probability, device=device, generator=generator)
        order = uniform((batch, 4), 0.0, 1.0, device=device, generator=generator).argsort(1)
        strengths = self.strengths if colour else (*self.strengths[:SATURATION], 0.0, 0.0)
        values = [uniform((batch,), -each, each, device=device, generator=generator) for each in strengths]
        factors = (1 + torch.stack(values[:HUE], 1)).clamp(min=0)
        # The three blends in their order, and how many of them come before hue.
        before = (order == HUE).to(torch.uint8).argmax(1)
        turns = torch.arange(3, device=device)
        turns = order.gather(1, turns + (turns >= before[:, None]))
        if not colour or self.strengths[HUE] == 0:
            before = torch.full_like(before, 3)
        factors = factors.gather(1, turns)
        return {"chosen": chosen, "before": before, "hue": values[HUE], **_blends(turns, factors)}

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float 0..1 [B, C, H, W] to the same as drawn; may overwrite ``images``."""
        if images.device.type != "cpu":
            return self.change_all(images, drawn)
        if images.shape[1] == 3 and (kernels := view_kernels(images)) is not None:
            images = images.contiguous()
            names = ("chosen", "before", "image", "mean", "luma", "hue")
            arrays = [as_array(drawn[name]) for name in names]
            kernels.jitter(as_array(images.flatten(2)), *arrays, self._turns_hue(images))
            return images
        # Sorted by how many blends come before hue, each pass is over neighbours; the unchanged come last.
        key = torch.where(drawn["chosen"], drawn["before"], 4)
        counts = torch.bincount(key, minlength=5).tolist()
        starts = [sum(counts[:each]) for each in range(5)]
        num_changed = starts[4]
        if num_changed == 0:
            return images
        if len(images) == 1:
            return self._change_sorted(images, drawn, starts)
        order = key.argsort(stable=True)[:num_changed]
        in_order = {name: value[order] for name, value in drawn.items()}
        return put(images, order, self._change_sorted(take(images, order), in_order, starts))

    def _change_sorted(self, images: Tensor, drawn: Drawn, starts: list[int]) -> Tensor:
        """Change all images, sorted by ``before``; those with b blends before hue begin at starts[b]."""
        for turn in range(3):
            _blend_turn(images, drawn, turn, starts[turn + 1], starts[4])
        if self._turns_hue(images):
            images = adjust_hue(images, drawn["hue"])
        for turn in range(3):
            _blend_turn(images, drawn, turn, 0, starts[3 - turn], after=True)
        return images

    def _turns_hue(self, images: Tensor) -> bool:
        return images.shape[1] == 3 and self.strengths[HUE] > 0

    def change_all(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Do the same without looking at what was drawn, as a GPU likes it: who has no turn blends by 1."""
        changed = images.clone()
        blends = torch.stack([drawn[name] for name in ("image", "mean", "luma")], 1)
        nothing = torch.tensor([1.0, 0.0, 0.0]).to(images.device)
        for turn in range(3):
            now = torch.where((drawn["before"] > turn)[:, None], blends[:, :, turn], nothing)
            _blend(changed, *now.unbind(1))
        if self._turns_hue(images):
            changed = adjust_hue(changed, drawn["hue"])
        for turn in range(3):
            place = (drawn["before"] + turn)[:, None, None]
            now = blends.gather(2, place.clamp(max=2).expand(-1, 3, 1))[:, :, 0]
            _blend(changed, *torch.where(place[:, 0] < 3, now, nothing).unbind(1))
        return torch.where(drawn["chosen"][:, None, None, None], changed, images)


class RandomGreyscale(Step):
    """Take the colour away with a probability; three equal channels remain.

    Images that do not have three channels are left alone.
    """

    def __init__(self, probability: float = 0.2) -> None:
        super().__init__()
        self.probability = check_probability("grey_probability", probability)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw who turns grey."""
        return {"chosen": chance(shape[0], self.probability, device=device, generator=generator)}

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float [B, C, H, W] to the same as drawn; may overwrite ``images``."""
        if images.shape[1] != 3:
            return images
        if (kernels := view_kernels(images)) is not None:
            images = images.contiguous()
            kernels.grey(as_array(images.flatten(2)), as_array(drawn["chosen"]))
            return images
        return on_chosen(images, drawn["chosen"], lambda chosen: chosen.copy_(to_luma(chosen)))


def to_luma(images: Tensor) -> Tensor:
    """Return the luma of float [B, 3, H, W], as [B, 1, H, W]; of other channels their mean."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    made = images[:, :1] * LUMA[0]
    made.add_(images[:, 1:2], alpha=LUMA[1])
    return made.add_(images[:, 2:], alpha=LUMA[2])


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply each sample of float 0..1 [B, C, H, W] by its factor [B]."""
    return _alone(images, BRIGHTNESS, factor)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each sample of float 0..1 [B, C, H, W] with the mean of its luma by its factor [B]."""
    return _alone(images, CONTRAST, factor)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each sample of float 0..1 [B, C, H, W] with its luma by its factor [B]."""
    return _alone(images, SATURATION, factor)


def _alone(images: Tensor, kind: int, factor: Tensor) -> Tensor:
    changed = images.clone()
    kinds = torch.full((len(images),), kind, device=images.device)
    _blend(changed, **_blends(kinds, factor))
    return changed


def _blends(kinds: Tensor, factors: Tensor) -> Drawn:
    """Say by how much an image counts, and by how much the mean of its luma or its luma, in each blend."""
    rest = 1 - factors
    return {"image": factors, "mean": rest * (kinds == CONTRAST), "luma": rest * (kinds == SATURATION)}


def _blend_turn(
    images: Tensor, drawn: Drawn, turn: int, start: int, stop: int, *, after: bool = False
) -> None:
    """Do the turn-th blend before hue, or after it, of some neighbours, in place."""
    if start == stop:
        return
    blends = [drawn[name][start:stop] for name in ("image", "mean", "luma")]
    if after:
        place = (drawn["before"][start:stop] + turn)[:, None]
        _blend(images[start:stop], *(each.gather(1, place)[:, 0] for each in blends))
    else:
        _blend(images[start:stop], *(each[:, turn] for each in blends))


def _blend(images: Tensor, image: Tensor, mean: Tensor, luma: Tensor) -> None:
    """Make each sample ``image`` times itself + ``mean`` times its mean luma + ``luma`` times its luma.

    Args:
        images: float 0..1 [B, C, H, W].
        image: [B].
        mean: [B].
        luma: [B].
    """
    known = images.device.type == "cpu"
    with_mean, with_luma = not known or bool(mean.any()), not known or bool(luma.any())
    offset = None
    if with_mean or with_luma:
        grey = to_luma(images)
        if with_mean:
            offset = (grey.mean((1, 2, 3)) * mean)[:, None, None, None]
        if with_luma:
            grey.mul_(luma[:, None, None, None])
            offset = grey if offset is None else grey.add_(offset)
    images.mul_(image[:, None, None, None])
    if offset is not None:
        images.add_(offset)
    if not known or float(image.max()) > 1:
        images.clamp_(0, 1)  # up to 1 a blend stays between what is blended
