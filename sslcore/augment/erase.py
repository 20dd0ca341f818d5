"""Random erasing of a batch: a box of each sample is painted over.

Source: Zhong et al. 2017, https://arxiv.org/abs/1708.04896.
"""

import torch
from torch import Generator, Tensor

from sslcore.augment.crop import draw_boxes
from sslcore.augment.step import Drawn, Step, chance, check_probability, on_chosen
from sslcore.errors import ConfigError

__all__ = ["RandomErasing", "erase"]


class RandomErasing(Step):
    """Paint a box over with a probability.

    Args:
        probability: Chance that a sample loses a box.
        scale: Least and greatest share of the image's area, in (0, 1].
        ratio: Least and greatest width over height; a box that never fits is made to.
        value: What is painted, 0..1, before normalization.
    """

    def __init__(
        self,
        probability: float = 0.5,
        *,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ConfigError(f"erase scale must be 0 < least <= greatest <= 1, got {scale}")
        self.probability = check_probability("erase_probability", probability)
        self.scale, self.ratio, self.value = scale, ratio, check_probability("erase value", value)

    def draw(self, shape: torch.Size, device: torch.device, generator: Generator | None = None) -> Drawn:
        """Draw who loses a box, and which: int64 [B, 4] of top, left, height, width."""
        return {
            "chosen": chance(shape[0], self.probability, device=device, generator=generator),
            "boxes": draw_boxes(shape, self.scale, self.ratio, device=device, generator=generator),
        }

    def change(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Map float [B, C, H, W] to the same as drawn; may overwrite ``images``."""
        return on_chosen(
            images, drawn["chosen"], lambda chosen, boxes: erase(chosen, boxes, self.value), drawn["boxes"]
        )


def erase(images: Tensor, boxes: Tensor, value: float = 0.0) -> Tensor:
    """Paint each sample's box, int64 [B, 4] of top, left, height, width, over with a value."""
    inside = []
    for place, dim in ((0, 2), (1, 3)):
        at = torch.arange(images.shape[dim], device=images.device)
        start, length = boxes[:, place, None], boxes[:, place + 2, None]
        inside.append((at >= start) & (at < start + length))
    return images.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], value)
