"""Which patches of an image are hidden: drawn for a whole batch at once, in numbers the host knows before."""

from sslcore.masks.blocks import BlockMasks, block_masks, masked_counts
from sslcore.masks.context import context_and_targets
from sslcore.masks.random import RandomMasks, random_masks
from sslcore.masks.squares import SquareMasks, square_masks

__all__ = [
    "BlockMasks",
    "RandomMasks",
    "SquareMasks",
    "block_masks",
    "context_and_targets",
    "masked_counts",
    "random_masks",
    "square_masks",
]
