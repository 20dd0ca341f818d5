"""The tables and the summary of an ingested dataset: manifest, removed, heldout, quarantine, dataset.json."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sslcore.data.quarantine import Problem
from sslcore.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MANIFEST_SCHEMA",
    "SCHEMA_VERSION",
    "DatasetInfo",
    "all_columns",
    "fingerprint",
    "manifest_order",
    "read_batches",
    "read_dataset_info",
    "read_manifest",
    "require_manifest",
    "write_dataset_info",
    "write_heldout",
    "write_manifest",
    "write_quarantine",
]

SCHEMA_VERSION = 1
ROWS_AT_ONCE = 1 << 16  # as Python objects
MANIFEST_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("filename", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("video", pa.string()),
        ("frame_index", pa.int64()),
        ("time_seconds", pa.float64()),
        ("shard", pa.string()),
        ("row", pa.int64()),
        ("duplicates", pa.list_(pa.string())),
        ("num_bytes", pa.int64()),
        ("sharpness", pa.float64()),
        ("brightness", pa.float64()),
        ("contrast", pa.float64()),
        ("phash", pa.uint64()),
        ("near_duplicate_of", pa.string()),
    ]
)
QUARANTINE_SCHEMA = pa.schema([("path", pa.string()), ("reason", pa.string()), ("detail", pa.string())])
HELDOUT_SCHEMA = pa.schema([("sample_id", pa.string()), ("label", pa.string())])


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What dataset.json says of a dataset.

    Attributes:
        schema_version: Of the format.
        fingerprint: sha256 over the samples, their labels and splits; equal means the same data.
        num_samples: Images and frames.
        num_images: Samples that are images.
        num_frames: Samples that are frames of videos.
        num_labelled: Samples with a label.
        num_classes: Distinct labels.
        classes: The labels, sorted.
        num_quarantined: Files that cannot be read, or not to their end.
        num_ignored: Files that are neither image nor video.
        num_duplicates: Further names of samples that are there already.
        num_near_duplicates: Samples that look like one before them (``near_duplicate_of`` names it).
        num_removed: Samples that are no longer in the source.
        splits: Samples per split.
        labels_from: ``class folders``, a CSV file's name, a pattern, ``targets`` or ``none``.
        source: The source as it was configured.
        store: The settings of ``ingest.store`` that matter for its format.
    """

    schema_version: int
    fingerprint: str
    num_samples: int
    num_images: int
    num_frames: int
    num_labelled: int
    num_classes: int
    classes: tuple[str, ...]
    num_quarantined: int
    num_ignored: int
    num_duplicates: int
    num_removed: int
    splits: Mapping[str, int]
    labels_from: str
    source: str
    num_near_duplicates: int = 0
    store: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"format": "original"})


def fingerprint(rows: pa.Table) -> str:
    """Return the sha256 over the sorted (sample_id, label, split) of manifest rows, in hex."""
    columns = [rows.column(name).cast(pa.large_string()) for name in ("sample_id", "label", "split")]
    columns[1] = pc.fill_null(columns[1], "")
    lines = pc.binary_join_element_wise(*columns, pa.scalar("\t", pa.large_string()))
    lines = lines.take(pc.sort_indices(lines))
    digest = hashlib.sha256()
    for start in range(0, len(lines), ROWS_AT_ONCE):
        part = lines.slice(start, ROWS_AT_ONCE).to_pylist()
        digest.update("".join(f"{line}\n" for line in part).encode())
    return digest.hexdigest()


def write_manifest(rows: pa.Table | list[dict[str, Any]], path: Path) -> None:
    """Write rows, sorted by filename and frame, as manifest.parquet or removed.parquet."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA)
    if not in_order(table.column("filename").combine_chunks()):
        table = table.take(manifest_order(table))
    # In one chunk, since the bytes depend on where chunks end.
    pq.write_table(table.combine_chunks(), path)


def in_order(filenames: pa.StringArray) -> bool:
    """Return whether each name comes after the one before it."""
    return len(filenames) < 2 or bool(pc.all(pc.less(filenames[:-1], filenames[1:])).as_py())


def manifest_order(rows: pa.Table) -> pa.Array:
    """Return the places of rows in the order of the manifest: by filename, frame and sample_id."""
    names = rows.column("filename").combine_chunks()
    if in_order(names):
        return pa.array(np.arange(len(names)))
    order = pc.sort_indices(names)
    names = names.take(order)
    if not pc.any(pc.equal(names[:-1], names[1:])).as_py():
        return order
    frames = pc.fill_null(rows.column("frame_index"), -1)
    keys = pa.table([rows.column("filename"), frames, rows.column("sample_id")], names=["a", "b", "c"])
    return pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in "abc"])


def read_batches(path: Path, columns: Iterable[str] = MANIFEST_SCHEMA.names) -> Iterator[pa.Table]:
    """Read manifest.parquet or removed.parquet in parts; columns that an older version lacks are null.

    Raises:
        OSError: If it cannot be read.
        pyarrow.ArrowException: If it is no such table.
    """
    names = list(columns)
    schema = pa.schema([MANIFEST_SCHEMA.field(name) for name in names])
    with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
        present = [name for name in names if name in file.schema_arrow.names]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=present):
            table = pa.Table.from_batches([batch])
            for name in names:
                if name not in present:
                    table = table.append_column(name, pa.nulls(len(batch), schema.field(name).type))
            yield table.select(names).cast(schema)


def all_columns(table: pa.Table) -> pa.Table:
    """Return a manifest with today's columns: those that an older version did not write are null."""
    for field in MANIFEST_SCHEMA:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(MANIFEST_SCHEMA.names).cast(MANIFEST_SCHEMA)


def write_heldout(labels: pa.Table, path: Path) -> None:
    """Write hidden labels (sample_id and label), sorted by sample_id."""
    order = pc.sort_indices(labels.column("sample_id"))
    pq.write_table(labels.take(order).cast(HELDOUT_SCHEMA).combine_chunks(), path)


def write_quarantine(problems: Iterable[Problem], path: Path) -> None:
    """Write quarantine.parquet, sorted by path."""
    rows = [{"path": each.path, "reason": each.reason, "detail": each.detail} for each in sorted(problems)]
    pq.write_table(pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA), path)


def write_dataset_info(info: DatasetInfo, path: Path) -> None:
    """Write dataset.json."""
    text = json.dumps(dataclasses.asdict(info), indent=2, ensure_ascii=False, sort_keys=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_manifest(dataset: Path) -> "pd.DataFrame":
    """Read the manifest of an ingested dataset, a row per sample, sorted by filename.

    Missing labels, videos, frame numbers, times and measures are NA: test them with ``isna()``.

    Args:
        dataset: The folder that ingest wrote.

    Raises:
        UserError: If there is no dataset.
    """
    import pandas as pd

    exact = {pa.uint64(): pd.UInt64Dtype()}.get  # 64 bits do not survive as a float beside NA
    table = all_columns(pq.read_table(require_manifest(dataset)))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=exact)
    frame["frame_index"] = frame["frame_index"].astype("Int64")
    return frame


def require_manifest(dataset: Path) -> Path:
    """Return the path of a dataset's manifest.

    Raises:
        UserError: If there is no dataset.
    """
    path = Path(dataset) / "manifest.parquet"
    if not path.is_file():
        raise UserError(f"no dataset in {dataset} (manifest.parquet is missing); run the ingest stage first")
    return path


def read_dataset_info(dataset: Path) -> DatasetInfo:
    """Read dataset.json of an ingested dataset.

    Raises:
        UserError: If there is none, or it was written by another version.
    """
    path = Path(dataset) / "dataset.json"
    if not path.is_file():
        raise UserError(f"no dataset in {dataset} (dataset.json is missing); run the ingest stage first")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["classes"] = tuple(content["classes"])
        info = DatasetInfo(**content)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); remove {dataset} and run the ingest stage"
        ) from error
    if info.schema_version != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema_version {info.schema_version}, this version reads {SCHEMA_VERSION}; "
            f"remove {dataset} and run the ingest stage"
        )
    return info
