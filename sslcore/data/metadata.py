"""What a person knows of the files beside their labels: a table by filename, kept beside the manifest."""

import logging
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from sslcore.errors import ConfigError, UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METADATA_FILES", "find_metadata", "read_metadata", "with_metadata", "write_metadata"]

log = logging.getLogger(__name__)

METADATA_FILES = ("metadata.parquet", "metadata.csv")
_KEY = "filename"


def find_metadata(metadata: str, root: Path) -> Path | None:
    """Return the table that ``ingest.metadata`` means, or ``None``.

    Args:
        metadata: ``auto``: the first of `METADATA_FILES` that is there; ``none``; or a file's name.
        root: The folder that it is relative to.

    Raises:
        ConfigError: If it is none of these.
    """
    if metadata == "none":
        return None
    if metadata == "auto":
        return next((root / name for name in METADATA_FILES if (root / name).is_file()), None)
    if metadata.lower().endswith((".csv", ".parquet")):
        return root / metadata
    raise ConfigError(
        f"ingest.metadata must be auto, none, or a .csv or .parquet file in the source, got '{metadata}'"
    )


def read_metadata(path: Path) -> pa.Table:
    """Read a CSV or Parquet file with a column filename and others of any type.

    Raises:
        UserError: If it cannot be read, has no such column, one called sample_id, or names a file twice.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path)
        else:
            as_text = pa.csv.ConvertOptions(column_types={_KEY: pa.string()})
            table = pa.csv.read_csv(path, convert_options=as_text)
    except (OSError, pa.ArrowException) as error:
        line = (str(error).splitlines() or [""])[0]
        raise UserError(f"metadata file {path} cannot be read: {line}") from error
    columns = table.column_names
    if _KEY not in columns or len(columns) < 2 or "sample_id" in columns or len(set(columns)) < len(columns):
        raise UserError(
            f"metadata file {path} needs a column filename and others, each once and none called sample_id; "
            f"it has: {','.join(columns)}"
        )
    names = [posixpath.normpath(str(name).strip()) for name in table.column(_KEY).to_pylist()]
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise UserError(f"metadata file {path} has '{twice}' twice")
    return table.set_column(columns.index(_KEY), _KEY, pa.array(names, pa.string()))


def write_metadata(rows: pa.Table, table: pa.Table, path: Path) -> None:
    """Write metadata.parquet: sample_id and the columns of the table, for the samples that it has.

    A frame has the row of its own name, else that of its video; a sample with several names the first that is
    found.

    Args:
        rows: The manifest.
        table: From `read_metadata`.
        path: Where.
    """
    keys = table.column(_KEY).combine_chunks()
    places = pc.index_in(rows.column("filename").combine_chunks(), value_set=keys)
    duplicates = rows.column("duplicates").combine_chunks()
    others = pc.index_in(duplicates.flatten(), value_set=keys)
    owners = pc.list_parent_indices(duplicates).to_numpy()
    found = pc.is_valid(others).to_numpy(zero_copy_only=False)
    owners, others = owners[found], others.filter(pc.is_valid(others)).to_numpy()
    first = np.concatenate([[True], owners[1:] != owners[:-1]])[: len(owners)]
    named_by_others = np.full(rows.num_rows, -1, dtype=np.int64)
    named_by_others[owners[first]] = others[first]
    places = _else(places, pa.array(named_by_others, mask=named_by_others < 0))
    places = _else(
        places, pc.index_in(rows.column("video").combine_chunks(), value_set=keys, skip_nulls=True)
    )
    astray = len(keys) - len(places.drop_null().unique())
    if astray:
        log.warning("%d of %d rows of the metadata match no sample", astray, len(keys))
    has = pc.is_valid(places)
    ids, chosen = rows.column("sample_id").combine_chunks().filter(has), places.filter(has)
    order = pc.sort_indices(ids)
    columns = table.drop([_KEY]).take(chosen.take(order))
    pq.write_table(columns.add_column(0, "sample_id", ids.take(order)), path)


def _else(places: pa.Array, others: pa.Array) -> pa.Array:
    return pc.coalesce(places.cast(pa.int64()), others.cast(pa.int64()))


def with_metadata(manifest: "pd.DataFrame", dataset: Path) -> "pd.DataFrame":
    """Return a manifest with the columns of the data set's metadata.parquet, NA where a sample has none.

    A column that the manifest has already stays the manifest's.

    Args:
        manifest: From `sslcore.data.read_manifest`.
        dataset: The data set's folder.
    """
    path = dataset / "metadata.parquet"
    if not path.is_file():
        return manifest
    import pandas as pd

    table = pd.read_parquet(path)
    both = sorted(set(table.columns) & set(manifest.columns) - {"sample_id"})
    if both:
        log.warning("metadata columns %s are the manifest's own; rename them to use them", ", ".join(both))
    return manifest.merge(table.drop(columns=both), on="sample_id", how="left")
