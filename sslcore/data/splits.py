"""Which split a sample is in: decided by its content alone, so that it never moves when data is added."""

import hashlib
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["SPLITS", "Split", "split_of", "splits_of"]

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
_AT_ONCE = 1 << 16


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


def splits_of(contents: pa.StringArray, *, val_fraction: float, test_fraction: float) -> npt.NDArray[np.int8]:
    """Return the splits of many contents as places in `SPLITS`, int8 [N]; see `split_of`."""
    parts = [np.empty(0, dtype=np.int8)]
    sha256 = hashlib.sha256
    for start in range(0, len(contents), _AT_ONCE):
        texts = contents[start : start + _AT_ONCE].cast(pa.binary()).to_pylist()
        first = b"".join([sha256(b"split:" + text).digest()[:8] for text in texts])
        place = np.frombuffer(first, dtype=">u8").astype(np.uint64).astype(np.float64) / 2.0**64
        after = np.where(place >= 1 - val_fraction, SPLITS.index("val"), SPLITS.index("train"))
        parts.append(np.where(place < test_fraction, SPLITS.index("test"), after).astype(np.int8))
    return np.concatenate(parts)
