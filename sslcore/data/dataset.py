"""The dataset over the ingested store, for training and embedding."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from sslcore.choices import check_choice
from sslcore.data.decode import decode_image, decode_resized, resize_and_crop
from sslcore.data.encoding import ORIGINAL
from sslcore.data.manifest import read_manifest, require_manifest
from sslcore.data.squares import square_of_encoded, square_of_pixels
from sslcore.data.store import ShardReader

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SampleDataset"]

SPLITS = ("train", "val", "test")
Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


class SampleDataset(Dataset[tuple[Tensor, int]]):
    """The samples of an ingested dataset, read from the memory-mapped store when asked for.

    ``dataset[i]`` is ``(uint8 tensor [3, H, W], i)``; row ``i`` of ``dataset.manifest`` says what it is. It
    can be pickled, forked and spawned: each process opens the shards it needs for itself. It holds 12 bytes
    a sample, and the manifest only once it was asked for.

    Args:
        path: The folder that ingest wrote.
        splits: Only samples of these splits (train, val, test); ``None`` for all.
        image_size: Shorter side resized to this many pixels (antialiased bilinear), then centre crop to a
            square; ``None`` for each image's own size.
        fast: Decode and resize by torch's kernels, in about half the time. Pixels differ from Pillow's,
            which embedders use, by at most one level of 255 (see `sslcore.data.squares`).
        num_threads: Threads that decode a batch together, in each process.

    Raises:
        UserError: If there is no dataset.
        ConfigError: If a split has another name.
        ValueError: If ``image_size`` or ``num_threads`` is not positive.
    """

    def __init__(
        self,
        path: Path,
        *,
        splits: Sequence[str] | None = None,
        image_size: int | None = None,
        fast: bool = False,
        num_threads: int = 1,
    ) -> None:
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size must be >= 1, got {image_size}")
        if num_threads < 1:
            raise ValueError(f"num_threads must be >= 1, got {num_threads}")
        self.path = Path(path)
        self.image_size = image_size
        self.fast = fast
        self.num_threads = num_threads
        wanted = None if splits is None else [check_choice(each, SPLITS, name="splits") for each in splits]
        table = pq.read_table(require_manifest(self.path), columns=["split", "shard", "row"])
        self._kept: npt.NDArray[np.bool_] | None = None
        if wanted is not None:
            kept = pc.is_in(table.column("split"), value_set=pa.array(wanted, pa.string()))
            self._kept = kept.to_numpy(zero_copy_only=False)
            table = table.filter(kept)
        shards = table.column("shard").combine_chunks().dictionary_encode()
        if isinstance(shards, pa.ChunkedArray):
            shards = shards.combine_chunks()
        self._shards: list[str] = shards.dictionary.to_pylist()
        self._codes: npt.NDArray[np.int32] = shards.indices.to_numpy()
        self._rows: Indices = table.column("row").to_numpy()
        self._readers: dict[int, ShardReader] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    @cached_property
    def manifest(self) -> "pd.DataFrame":
        """The rows of the manifest, in the order of the samples; read when it is first asked for."""
        manifest = read_manifest(self.path)
        return (manifest if self._kept is None else manifest[self._kept]).reset_index(drop=True)

    @cached_property
    def is_raw(self) -> bool:
        """Whether the store has raw pixels, which need no decoding."""
        return len(self) > 0 and self._reader(int(self._codes[0])).is_raw

    def __len__(self) -> int:
        return len(self._rows)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_readers": {}, "_threads": None}
        state.pop("manifest", None)
        return state

    def _reader(self, code: int) -> ShardReader:
        if self._pid != os.getpid():
            self._readers, self._threads, self._pid = {}, None, os.getpid()
        reader = self._readers.get(code)
        if reader is None:
            reader = self._readers[code] = ShardReader(self.path / "shards" / self._shards[code])
        return reader

    def _place(self, index: int) -> tuple[ShardReader, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        return self._reader(int(self._codes[index])), int(self._rows[index])

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a sample as they are stored: an image file; a PNG where raw pixels are."""
        reader, row = self._place(index)
        if reader.is_raw:
            return ORIGINAL.encode(Image.fromarray(reader.pixels(row).transpose(1, 2, 0)))
        return reader.encoded(row)

    def pixels(self, index: int) -> Pixels:
        """Return a sample as a uint8 array [H, W, 3]."""
        if self.image_size is None:
            reader, row = self._place(index)
            if reader.is_raw:
                return reader.pixels(row).transpose(1, 2, 0).copy()
            return np.array(decode_image(reader.encoded(row)), dtype=np.uint8)
        return self.batch([index])[0][0].permute(1, 2, 0).numpy()

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if self.image_size is not None:
            return self.batch([index])[0][0], index % len(self)
        pixels = torch.from_numpy(self.pixels(index))
        return pixels.permute(2, 0, 1).contiguous(), index % len(self)

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """Return several samples; what a DataLoader calls for a batch."""
        if self.image_size is None:
            return [self[index] for index in indices]
        images, numbers = self.batch(indices)
        return list(zip(images.unbind(0), numbers.tolist(), strict=True))

    def batch(self, indices: Sequence[int] | Indices) -> tuple[Tensor, Tensor]:
        """Return samples stacked: uint8 [B, 3, S, S] and their indices, int64 [B].

        Raises:
            ValueError: If the dataset has no ``image_size``: images of several sizes do not stack.
        """
        if self.image_size is None:
            raise ValueError("a batch needs images of one size: make the dataset with image_size")
        wanted: Indices = np.asarray(indices, dtype=np.int64)
        wrong = wanted[(wanted < -len(self)) | (wanted >= len(self))]
        if len(wrong):
            raise IndexError(f"index {wrong[0]} is out of range for {len(self)} samples")
        wanted = wanted % max(1, len(self))
        images = _new_batch(len(wanted), self.image_size)
        left = self._gather(wanted, images.numpy()) if self.is_raw else np.arange(len(wanted))
        self._decode(wanted, left, images)
        return images, torch.from_numpy(wanted)

    def _gather(self, indices: Indices, out: Pixels) -> Indices:
        """Copy raw pixels to where they belong; return the places that need more than that."""
        codes = self._codes[indices]
        left = [
            self._reader(code).gather(self._rows[indices[places]], out, places)
            for code in np.unique(codes).tolist()
            for places in (np.flatnonzero(codes == code),)
        ]
        return np.concatenate(left) if left else np.empty(0, dtype=np.int64)

    def _decode(self, indices: Indices, places: Indices, images: Tensor) -> None:
        """Fill places of a batch, each by itself."""

        def fill(place: int) -> None:
            images[place] = self._square(int(indices[place]))

        if self.num_threads == 1 or len(places) < 2:
            for place in places.tolist():
                fill(place)
            return
        for code in np.unique(self._codes[indices[places]]).tolist():
            self._reader(code)  # opened by one thread
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.num_threads)
        for _ in self._threads.map(fill, places.tolist()):
            pass

    def _square(self, index: int) -> Tensor:
        assert self.image_size is not None
        reader, row = self._place(index)
        if self.fast:
            if reader.is_raw:
                return square_of_pixels(torch.from_numpy(reader.pixels(row).copy()), self.image_size)
            return square_of_encoded(reader.encoded(row), self.image_size)
        if reader.is_raw:
            image = Image.fromarray(reader.pixels(row).transpose(1, 2, 0))
            square = resize_and_crop(image, self.image_size)
        else:
            square = decode_resized(reader.encoded(row), self.image_size)
        return torch.from_numpy(np.array(square, dtype=np.uint8)).permute(2, 0, 1)


def _new_batch(num_images: int, size: int) -> Tensor:
    """Return uint8 [B, 3, S, S], in a loader's worker in memory that is shared already: no copy is sent."""
    shape = (num_images, 3, size, size)
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    storage: Any = torch.UntypedStorage
    images: Any = torch.empty(0, dtype=torch.uint8)
    shared: Tensor = images.set_(storage._new_shared(num_images * 3 * size * size), 0, shape)
    return shared
