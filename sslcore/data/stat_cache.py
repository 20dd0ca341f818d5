"""Digests of files that have not changed, so that they are not read again to know it.

A file is taken as unchanged while its path, size, time of change and inode are. A file that was changed less
than two seconds before it was looked at is not remembered: it could change once more within the resolution of
its time stamp. Kept beside the workspace's state, never in the dataset: other machines have other inodes.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.data.digests import DIGEST_BYTES, Digests, fixed_array, fixed_bytes
from sslcore.data.source_files import SourceFiles

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
AT_ONCE = 1 << 16
_ODD_PARTS = r"/(\.{0,2}/|\.{1,2}$)"  # what abspath would change: //, /./ and /../


class StatCache:
    """What is remembered of the files of a source.

    Args:
        path: Where it is kept; ``None`` remembers nothing.
        files: The files of the source, as they were looked at.

    Attributes:
        is_known: Which files have not changed since they were last read, bool [N].
        digests: Their sha256, uint8 [N, 32]; zeros of the others.
    """

    def __init__(self, path: Path | None, files: SourceFiles) -> None:
        self._path = path
        self._files = files
        self.is_known = np.zeros(len(files), dtype=np.bool_)
        self.digests: Digests = np.zeros((len(files), DIGEST_BYTES), dtype=np.uint8)
        self._settled = files.mtimes_ns <= files.looked_at_ns - SETTLED_NS  # else too fresh, or to come
        if path is not None:
            self._look(path)

    def _look(self, path: Path) -> None:
        stored = _read(path)
        rows = _places(self._paths(), stored.column("path").combine_chunks())
        stored = stored.drop_columns(["path"])
        digests = fixed_bytes(stored.column("sha256"))
        names = {"size": self._files.sizes, "mtime_ns": self._files.mtimes_ns, "inode": self._files.inodes}
        before = {name: stored.column(name).to_numpy() for name in names}
        for start in range(0, len(rows), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            same = (rows[part] >= 0) & self._settled[part]
            for name, now in names.items():
                same[same] &= before[name][rows[part][same]] == now[part][same]
            self.is_known[part] = same
            self.digests[part][same] = digests[rows[part][same]]

    def _paths(self) -> pa.Array:
        """Return the absolute paths."""
        paths = self._files.paths
        plain = pc.starts_with(paths, pattern=b"/")
        if pc.all(plain).as_py() and not pc.any(pc.match_substring_regex(paths, _ODD_PARTS)).as_py():
            return paths
        absolute = _absolute(os.fsdecode(path) for path in paths.to_pylist())
        return pa.array(absolute, pa.binary())

    @property
    def num_found(self) -> int:
        """Files whose digest is known."""
        return int(self.is_known.sum())

    def save(self, digests: Digests, has: npt.NDArray[np.bool_]) -> None:
        """Remember the digests of the files; those without one are forgotten.

        A folder that cannot be written is no error: the files are then read again.

        Args:
            digests: uint8 [N, 32].
            has: Which files have one, bool [N].
        """
        if self._path is None:
            return
        keep = has & self._settled & (self._files.mtimes_ns > 0)
        files, chosen = self._files, pa.array(keep)
        columns = [
            self._paths().filter(chosen).cast(pa.binary()),
            files.sizes[keep],
            files.mtimes_ns[keep],
            files.inodes[keep],
            fixed_array(digests[keep]),
        ]
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
                writer.write_table(pa.table(columns, schema=SCHEMA))
            partial.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written, files will be read again: %s", self._path, error)
            with suppress(OSError):
                partial.unlink()


def _places(paths: pa.Array, stored: pa.BinaryArray) -> npt.NDArray[np.int64]:
    """Return where each path is stored, int64 [N], or -1.

    Arrow's index of all of them would be what an ingestion needs most memory for. But most files stand at
    about the place where they stood before; the others are looked for a part at a time.
    """
    places = np.full(len(paths), -1, dtype=np.int64)
    for start in range(0, len(paths), AT_ONCE):
        first = max(0, start - AT_ONCE)
        near = stored.slice(first, 3 * AT_ONCE)
        found = pc.index_in(paths.slice(start, AT_ONCE).cast(pa.binary()), value_set=near)
        found = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        places[start : start + AT_ONCE] = np.where(found >= 0, found + first, -1)
    rest = np.flatnonzero(places < 0) if len(stored) else places[:0]
    for start in range(0, len(rest), AT_ONCE):
        part = rest[start : start + AT_ONCE]
        found = pc.index_in(stored, value_set=paths.take(pa.array(part)).cast(pa.binary()))
        rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
        places[part[found.drop_null().to_numpy()]] = rows
    return places


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
