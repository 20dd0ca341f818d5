"""Which split a sample is in: decided by its content alone, so that it never moves when data is added."""

import hashlib
from typing import Literal

__all__ = ["Split", "split_of"]

Split = Literal["train", "val", "test"]


def split_of(content: str, *, val_fraction: float, test_fraction: float) -> Split:
    """Return the split of a content.

    The test split is cut off one end and the validation split off the other, so that changing one fraction
    moves nothing between the two.

    Args:
        content: Hash of an image, or of the whole video for each of its frames.
        val_fraction: Share that goes to val, 0 to 1.
        test_fraction: Share that goes to test, 0 to 1.
    """
    digest = hashlib.sha256(f"split:{content}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < test_fraction:
        return "test"
    return "val" if place >= 1 - val_fraction else "train"
