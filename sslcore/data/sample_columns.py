"""Stored samples as columns: what the manifest says of one beside its names, in some 150 bytes each."""

from typing import Any

import pyarrow as pa

from sslcore.data.digests import DIGEST_BYTES

__all__ = ["SAMPLE_SCHEMA", "SampleColumns"]

SAMPLE_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("sha256", pa.binary(DIGEST_BYTES)),
        ("kind", pa.dictionary(pa.int8(), pa.string())),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("frame_index", pa.int64()),
        ("time_seconds", pa.float64()),
        ("shard", pa.int32()),
        ("row", pa.int64()),
        ("num_bytes", pa.int64()),
        ("sharpness", pa.float64()),
        ("brightness", pa.float64()),
        ("contrast", pa.float64()),
        ("phash", pa.uint64()),
    ]
)
"""sample_id: 20 hex digits of a hash of its content. sha256: of the content; of the stored bytes for a
frame. kind: ``image`` or ``frame``. frame_index: in a plain decode of its video. shard: a number; who holds
the columns says which file that is. num_bytes: of the image file, or of the stored bytes for a frame. It and
what follows it is null where an older version stored the sample."""

FLUSH_ROWS = 4096


class SampleColumns:
    """Samples that come one by one; few of them are held as objects."""

    def __init__(self) -> None:
        self.num_rows = 0
        self._rows: list[dict[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def append(self, row: dict[str, Any]) -> int:
        """Append a sample, with the names of `SAMPLE_SCHEMA`; return its row."""
        self._rows.append(row)
        self.num_rows += 1
        if len(self._rows) >= FLUSH_ROWS:
            self._flush()
        return self.num_rows - 1

    def _flush(self) -> None:
        if self._rows:
            self._batches.append(pa.RecordBatch.from_pylist(self._rows, schema=SAMPLE_SCHEMA))
        self._rows = []

    def table(self) -> pa.Table:
        """Return them all."""
        self._flush()
        return pa.Table.from_batches(self._batches, schema=SAMPLE_SCHEMA)
