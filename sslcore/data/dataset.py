"""The dataset over the ingested store, for training and embedding."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sslcore.choices import check_choice
from sslcore.data.decode import decode_image, decode_resized
from sslcore.data.manifest import read_manifest
from sslcore.data.store import ShardReader

__all__ = ["SampleDataset"]

SPLITS = ("train", "val", "test")


class SampleDataset(Dataset[tuple[Tensor, int]]):
    """The samples of an ingested dataset, decoded from the memory-mapped store when asked for.

    ``dataset[i]`` is ``(uint8 tensor [3, H, W], i)``; row ``i`` of ``dataset.manifest`` says what it is. It
    can be pickled, forked and spawned: each process opens the shards it needs for itself.

    Args:
        path: The folder that ingest wrote.
        splits: Only samples of these splits (train, val, test); ``None`` for all.
        image_size: Shorter side resized to this many pixels (antialiased bilinear), then centre crop to a
            square; ``None`` for each image's own size.

    Raises:
        UserError: If there is no dataset.
        ConfigError: If a split has another name.
        ValueError: If ``image_size`` is not positive.
    """

    def __init__(
        self, path: Path, *, splits: Sequence[str] | None = None, image_size: int | None = None
    ) -> None:
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size must be >= 1, got {image_size}")
        manifest = read_manifest(path)
        if splits is not None:
            wanted = [check_choice(split, SPLITS, name="splits") for split in splits]
            manifest = manifest[manifest["split"].isin(wanted)]
        self.path = Path(path)
        self.image_size = image_size
        self.manifest = manifest.reset_index(drop=True)
        names, codes = np.unique(self.manifest["shard"].to_numpy(dtype=object), return_inverse=True)
        self._shards: list[str] = [str(name) for name in names]
        self._codes: npt.NDArray[np.int32] = codes.astype(np.int32)
        self._rows: npt.NDArray[np.int64] = self.manifest["row"].to_numpy(dtype=np.int64)
        self._readers: dict[int, ShardReader] = {}
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self._rows)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_readers": {}}

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a sample as they were: the image file, or a PNG for a frame."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        if self._pid != os.getpid():
            self._readers, self._pid = {}, os.getpid()
        code = int(self._codes[index])
        reader = self._readers.get(code)
        if reader is None:
            reader = self._readers[code] = ShardReader(self.path / "shards" / self._shards[code])
        return reader.encoded(int(self._rows[index]))

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """Return a sample as a uint8 array [H, W, 3]."""
        data = self.encoded(index)
        image = decode_image(data) if self.image_size is None else decode_resized(data, self.image_size)
        return np.array(image, dtype=np.uint8)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(self.pixels(index))
        return pixels.permute(2, 0, 1).contiguous(), index % len(self)

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """Return several samples; what a DataLoader calls for a batch."""
        if self.image_size is None:
            return [self[index] for index in indices]
        images, numbers = self.batch(indices)
        return list(zip(images.unbind(0), numbers.tolist(), strict=True))

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return samples stacked: uint8 [B, 3, S, S] and their indices, int64 [B].

        Raises:
            ValueError: If the dataset has no ``image_size``: images of several sizes do not stack.
        """
        if self.image_size is None:
            raise ValueError("a batch needs images of one size: make the dataset with image_size")
        stacked = np.empty((len(indices), self.image_size, self.image_size, 3), dtype=np.uint8)
        for place, index in enumerate(indices):
            stacked[place] = np.asarray(decode_resized(self.encoded(index), self.image_size))
        images = torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()
        return images, torch.tensor([index % len(self) for index in indices], dtype=torch.int64)
