"""The Arrow store: shards of samples, written once, read by memory map.

A shard is an Arrow IPC file with the columns ``sample_id`` and ``data``, named by its content. A row of the
manifest says in which shard and in which row of it a sample lies. In the format ``uint8`` the data are raw
pixels, and the columns ``width`` and ``height`` say of which image.
"""

import hashlib
import os
from pathlib import Path

import pyarrow as pa

from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.data.shard_reader import ShardReader

__all__ = ["RAW_SCHEMA", "SHARD_SCHEMA", "OpenShard", "ShardReader", "ShardWriter"]

SHARD_SCHEMA = pa.schema([("sample_id", pa.string()), ("data", pa.large_binary())])
RAW_SCHEMA = pa.schema([*SHARD_SCHEMA, ("width", pa.int32()), ("height", pa.int32())])
BATCH_BYTES = 8 << 20
BATCH_ROWS = 4096


class OpenShard:
    """A shard that is being written; its name is known when it is closed."""

    def __init__(self, folder: Path, store: StoreFormat = ORIGINAL) -> None:
        self.name: str | None = None
        self.num_rows = 0
        self.num_bytes = 0
        self._folder = folder
        self._store = store
        self._partial = folder / f"partial-{os.getpid()}"
        self._digest = hashlib.sha256()
        self._ids: list[str] = []
        self._data: list[bytes] = []
        self._sizes: list[tuple[int, int]] = []
        self._pending_bytes = 0
        self._schema = RAW_SCHEMA if store.format == "uint8" else SHARD_SCHEMA
        self._file = pa.ipc.new_file(str(self._partial), self._schema)

    def append(self, sample_id: str, data: bytes, size: tuple[int, int] = (0, 0)) -> int:
        """Append a sample and return its row; ``size`` as in `ShardWriter.add`."""
        self._ids.append(sample_id)
        self._data.append(data)
        if self._store.format == "uint8":
            width, height = self._store.size(*size)
            assert len(data) == 3 * width * height, f"{len(data)} bytes are not 3 x {height} x {width}"
            self._sizes.append((width, height))
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
            if self._sizes:
                columns += [pa.array(side, pa.int32()) for side in zip(*self._sizes, strict=True)]
            self._file.write_batch(pa.record_batch(columns, schema=self._schema))
        self._ids, self._data, self._sizes, self._pending_bytes = [], [], [], 0

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
        shard_bytes: A shard is closed when it has this many bytes of samples.
        store: In which form the samples are that will be added.
    """

    def __init__(self, folder: Path, *, shard_bytes: int, store: StoreFormat = ORIGINAL) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._store = store
        self._open: OpenShard | None = None
        self.num_bytes = 0

    def add(self, sample_id: str, data: bytes, size: tuple[int, int] = (0, 0)) -> tuple[OpenShard, int]:
        """Append a sample; the shard has its name after `close`.

        Args:
            sample_id: Of the sample.
            data: What `StoreFormat.encode` made of it.
            size: Width and height before it was stored; only the format ``uint8`` needs them.
        """
        shard = self._open = self._open or OpenShard(self._folder, self._store)
        row = shard.append(sample_id, data, size)
        self.num_bytes += len(data)
        if shard.num_bytes >= self._shard_bytes:
            self.close()
        return shard, row

    def close(self) -> None:
        """Close the last shard."""
        if self._open is not None:
            self._open.close()
            self._open = None
