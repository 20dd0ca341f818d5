"""Reading a shard of the Arrow store by memory map: nothing is read before it is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["ShardReader"]

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


class _Chunk:
    """The rows of one record batch."""

    def __init__(self, batch: Any) -> None:
        data = batch.column("data")
        _, offsets, buffer = data.buffers()
        bounds = np.frombuffer(offsets, dtype=np.int64)[data.offset : data.offset + len(data) + 1]
        self.bounds: Indices = bounds
        self.data: Bytes = np.frombuffer(buffer if buffer is not None else b"", dtype=np.uint8)
        self.widths: npt.NDArray[np.int32] | None = None
        self.block: Bytes | None = None
        if "width" in batch.schema.names:
            self.widths = batch.column("width").to_numpy()
            self.heights: npt.NDArray[np.int32] = batch.column("height").to_numpy()
            first = int(self.heights[0]), int(self.widths[0])
            if (self.heights == first[0]).all() and (self.widths == first[1]).all():
                whole = self.data[int(bounds[0]) : int(bounds[-1])]
                self.block = whole.reshape(len(data), 3, *first)

    def encoded(self, row: int) -> Bytes:
        return self.data[int(self.bounds[row]) : int(self.bounds[row + 1])]

    def pixels(self, row: int) -> Bytes:
        assert self.widths is not None
        return self.encoded(row).reshape(3, int(self.heights[row]), int(self.widths[row]))


class ShardReader:
    """Random access to the rows of a shard. What it returns are views of the map: copy what must outlive it.

    Attributes:
        num_rows: How many samples there are.
        is_raw: Whether the samples are raw pixels (format ``uint8``).

    Raises:
        OSError: If the file is missing.
        pyarrow.ArrowInvalid: If it is no whole Arrow file.
    """

    def __init__(self, path: Path) -> None:
        self._map = pa.memory_map(str(path))
        file = pa.ipc.open_file(self._map)
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        self._file = file
        self._chunks = [_Chunk(batch) for batch in batches]
        self._ends: Indices = np.cumsum([len(batch) for batch in batches], dtype=np.int64)
        self.is_raw = "width" in file.schema.names
        self.num_rows = int(self._ends[-1]) if batches else 0

    @property
    def sample_ids(self) -> list[str]:
        """The sample_id of each row."""
        ids: list[str] = self._file.read_all().column("sample_id").to_pylist()
        return ids

    def _place(self, row: int) -> tuple[_Chunk, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return self._chunks[number], row - (int(self._ends[number - 1]) if number else 0)

    def encoded(self, row: int) -> bytes:
        """Return the stored bytes of a row."""
        chunk, inside = self._place(row)
        return chunk.encoded(inside).tobytes()

    def pixels(self, row: int) -> Bytes:
        """Return the raw pixels of a row, uint8 [3, H, W], without copying; only if `is_raw`."""
        chunk, inside = self._place(row)
        return chunk.pixels(inside)

    def gather(self, rows: Indices, out: Bytes, places: Indices) -> Indices:
        """Copy raw pixels of rows that have the size of ``out`` or are larger: the centre is cut out.

        Rows of a batch in which all have one size are copied by one call for all of them.

        Args:
            rows: Which, int64 [N].
            out: uint8 [B, 3, S, S].
            places: Where in ``out`` each goes, int64 [N].

        Returns:
            Those of ``places`` that were not filled, since their image is smaller than S on a side, or its
            shorter side is not S.
        """
        size = out.shape[-1]
        left: list[Indices] = []
        numbers = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(numbers).tolist():
            chunk, mine = self._chunks[number], np.flatnonzero(numbers == number)
            inside = rows[mine] - (int(self._ends[number - 1]) if number else 0)
            if chunk.block is not None:
                if min(chunk.block.shape[2:]) != size:
                    left.append(places[mine])
                else:
                    out[places[mine]] = _centre(chunk.block, size)[inside]
                continue
            for row, place in zip(inside.tolist(), places[mine].tolist(), strict=True):
                pixels = chunk.pixels(row)
                if min(pixels.shape[1:]) != size:
                    left.append(np.array([place], dtype=np.int64))
                else:
                    out[place] = _centre(pixels, size)
        return np.concatenate(left) if left else np.empty(0, dtype=np.int64)


def _centre(pixels: Bytes, size: int) -> Bytes:
    """Cut the central square out of [..., H, W], as torchvision's CenterCrop does."""
    height, width = pixels.shape[-2:]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[..., top : top + size, left : left + size]
