"""The Arrow store: shards of encoded images, written once, read by memory map.

A shard is an Arrow IPC file with the columns ``sample_id`` and ``data``, named by its content. A row of the
manifest says in which shard and in which row of it a sample lies.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["SHARD_SCHEMA", "OpenShard", "ShardReader", "ShardWriter"]

SHARD_SCHEMA = pa.schema([("sample_id", pa.string()), ("data", pa.large_binary())])
BATCH_BYTES = 8 << 20
BATCH_ROWS = 4096


class OpenShard:
    """A shard that is being written; its name is known when it is closed."""

    def __init__(self, folder: Path) -> None:
        self.name: str | None = None
        self.num_rows = 0
        self.num_bytes = 0
        self._folder = folder
        self._partial = folder / f"partial-{os.getpid()}"
        self._digest = hashlib.sha256()
        self._ids: list[str] = []
        self._data: list[bytes] = []
        self._pending_bytes = 0
        self._file = pa.ipc.new_file(str(self._partial), SHARD_SCHEMA)

    def append(self, sample_id: str, data: bytes) -> int:
        """Append a sample and return its row."""
        self._ids.append(sample_id)
        self._data.append(data)
        self._digest.update(f"{sample_id}:{len(data)}:".encode())
        self._digest.update(data)
        self.num_rows += 1
        self.num_bytes += len(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= BATCH_BYTES or len(self._ids) >= BATCH_ROWS:
            self._flush()
        return self.num_rows - 1

    def _flush(self) -> None:
        if self._ids:
            columns = [pa.array(self._ids, pa.string()), pa.array(self._data, pa.large_binary())]
            self._file.write_batch(pa.record_batch(columns, schema=SHARD_SCHEMA))
        self._ids, self._data, self._pending_bytes = [], [], 0

    def close(self) -> None:
        """Finish the file and give it its name: 8 hex digits of its content, more if those are taken."""
        self._flush()
        self._file.close()
        digest = self._digest.hexdigest()
        names = (f"{digest[:digits]}.arrow" for digits in range(8, 65))
        self.name = next(name for name in names if not (self._folder / name).exists())
        self._partial.rename(self._folder / self.name)


class ShardWriter:
    """Appends samples to shards of a given size.

    Args:
        folder: Where shards go; those that are there are left alone.
        shard_bytes: A shard is closed when it has this many bytes of encoded images.
    """

    def __init__(self, folder: Path, *, shard_bytes: int) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._open: OpenShard | None = None
        self.num_bytes = 0

    def add(self, sample_id: str, data: bytes) -> tuple[OpenShard, int]:
        """Append a sample; the shard has its name after `close`."""
        shard = self._open = self._open or OpenShard(self._folder)
        row = shard.append(sample_id, data)
        self.num_bytes += len(data)
        if shard.num_bytes >= self._shard_bytes:
            self.close()
        return shard, row

    def close(self) -> None:
        """Close the last shard."""
        if self._open is not None:
            self._open.close()
            self._open = None


class ShardReader:
    """Random access to the rows of a shard, memory-mapped: nothing is read before it is asked for.

    Raises:
        OSError: If the file is missing.
        pyarrow.ArrowInvalid: If it is no whole Arrow file.
    """

    def __init__(self, path: Path) -> None:
        self._map = pa.memory_map(str(path))
        table = pa.ipc.open_file(self._map).read_all()
        self.sample_ids: Any = table.column("sample_id")
        self._chunks: list[tuple[npt.NDArray[np.int64], memoryview]] = []
        starts = [0]
        for chunk in table.column("data").chunks:
            _, offsets, data = chunk.buffers()
            bounds = np.frombuffer(offsets, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
            self._chunks.append((bounds, memoryview(data)))
            starts.append(starts[-1] + len(chunk))
        self._starts = np.array(starts[1:], dtype=np.int64)
        self.num_rows = starts[-1]

    def encoded(self, row: int) -> bytes:
        """Return the encoded bytes of a row."""
        number = int(np.searchsorted(self._starts, row, side="right"))
        bounds, data = self._chunks[number]
        inside = row - (int(self._starts[number - 1]) if number else 0)
        return bytes(data[int(bounds[inside]) : int(bounds[inside + 1])])
