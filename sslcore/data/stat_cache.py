"""Digests of files that have not changed, so that they are not read again to know it.

A file is taken as unchanged while its path, size, time of change and inode are. A file that was changed less
than two seconds before it was looked at is not remembered: it could change once more within the resolution of
its time stamp. Kept beside the workspace's state, never in the dataset: other machines have other inodes.
"""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.data.listing import SourceFile

__all__ = ["StatCache"]

log = logging.getLogger(__name__)

SCHEMA = pa.schema(
    [
        ("path", pa.binary()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("inode", pa.uint64()),
        ("sha256", pa.binary(32)),
    ]
)
SETTLED_NS = 2_000_000_000


class StatCache:
    """What is remembered of the files of a source; looks at all of them at once, when it is made.

    Args:
        path: Where it is kept; ``None`` remembers nothing.
        files: The files of the source.
    """

    def __init__(self, path: Path | None, files: Sequence[SourceFile]) -> None:
        self._path = path
        self._files = files
        self._rows = np.full(len(files), -1, dtype=np.int64)
        self._digests: pa.FixedSizeBinaryArray = pa.array([], pa.binary(32))
        self._now: pa.Table = SCHEMA.empty_table()
        if path is not None:
            self._look(path)

    def _look(self, path: Path) -> None:
        looked_at = time.time_ns()
        sizes, times, inodes = (
            np.zeros(len(self._files), dtype=kind) for kind in (np.int64, np.int64, np.uint64)
        )
        for place, file in enumerate(self._files):
            with suppress(OSError, ValueError):
                status = os.stat(file.path)
                sizes[place], times[place] = status.st_size, status.st_mtime_ns
                inodes[place] = status.st_ino
        times[times > looked_at - SETTLED_NS] = 0  # too fresh, or from the future: not remembered
        paths = pa.array(list(_absolute(file.path for file in self._files)), pa.binary())
        empty = pa.nulls(len(self._files), pa.binary(32))
        self._now = pa.table([paths, sizes, times, inodes, empty], schema=SCHEMA)
        stored = _read(path)
        places = pc.index_in(paths, value_set=stored.column("path").combine_chunks())
        rows = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        same = (rows >= 0) & (times > 0)
        for name, now in (("size", sizes), ("mtime_ns", times), ("inode", inodes)):
            before = stored.column(name).to_numpy()
            same[same] &= before[rows[same]] == now[same]
        self._rows = np.where(same, rows, -1)
        self._digests = stored.column("sha256").combine_chunks()

    @property
    def num_found(self) -> int:
        """Files whose digest is known."""
        return int((self._rows >= 0).sum())

    def digest(self, place: int) -> str:
        """Return the digest of a file, in hex; empty if it has to be read."""
        row = int(self._rows[place])
        return bytes(self._digests[row].as_py()).hex() if row >= 0 else ""

    def save(self, digests: Mapping[str, str]) -> None:
        """Remember the digests of the files, by name; those without one are forgotten.

        A folder that cannot be written is no error: the files are then read again.
        """
        if self._path is None:
            return
        found = [digests.get(file.name) for file in self._files]
        column = pa.array([bytes.fromhex(each) if each else None for each in found], pa.binary(32))
        table = self._now.set_column(self._now.num_columns - 1, SCHEMA.field("sha256"), column)
        table = table.filter(pc.and_(pc.is_valid(column), pc.greater(table.column("mtime_ns"), 0)))
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
                writer.write_table(table)
            partial.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written, files will be read again: %s", self._path, error)
            with suppress(OSError):
                partial.unlink()


def _absolute(paths: Iterable[str]) -> Iterator[bytes]:
    """Yield absolute paths; what takes time is done once for a folder."""
    folders: dict[str, str] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.abspath(folder)
        yield os.fsencode(os.path.join(folders[folder], name))


def _read(path: Path) -> pa.Table:
    try:
        with pa.OSFile(str(path), "rb") as source:
            table = pa.ipc.open_file(source).read_all()
    except FileNotFoundError:
        return SCHEMA.empty_table()
    except (OSError, pa.ArrowException) as error:
        log.warning("%s cannot be read, files are read again: %s", path, error)
        return SCHEMA.empty_table()
    return table if table.schema.equals(SCHEMA) else SCHEMA.empty_table()
