"""The files of a source as columns: a million of them take some 150 MB, as objects they took a gigabyte."""

import os
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.data.source_file import SourceFile

__all__ = ["SourceFiles", "SourceFilesBuilder"]

FLUSH_ROWS = 16384


@dataclass(frozen=True, eq=False)
class SourceFiles(Sequence[SourceFile]):
    """Files of a source, in order; ``files[i]`` makes a `SourceFile`.

    Attributes:
        names: Their names, string [N].
        paths: Where they are, large binary [N], as the system encodes them.
        is_video: By their extensions, bool [N]; the others are images.
        sizes: In bytes, int64 [N].
        mtimes_ns: Time of change in nanoseconds, int64 [N]; 0 for a remote file.
        inodes: uint64 [N]; 0 for a remote file.
        versions: Of remote files, what changes when they do, string [N]; ``None`` for files on this disk.
        looked_at_ns: When looking at them began, in nanoseconds of the clock.
    """

    names: pa.StringArray
    paths: pa.LargeBinaryArray
    is_video: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    mtimes_ns: npt.NDArray[np.int64]
    inodes: npt.NDArray[np.uint64]
    versions: pa.StringArray | None
    looked_at_ns: int

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> SourceFile: ...
    @overload
    def __getitem__(self, place: slice) -> list[SourceFile]: ...
    def __getitem__(self, place: int | slice) -> SourceFile | list[SourceFile]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return SourceFile(
            self.names[place].as_py(),
            os.fsdecode(self.paths[place].as_py()),
            "video" if self.is_video[place] else "image",
            int(self.sizes[place]),
            "" if self.versions is None else self.versions[place].as_py(),
        )

    def __iter__(self) -> Iterator[SourceFile]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def sorted(self) -> "SourceFiles":
        """Return the files by name; equal names (two that are written with the same escapes) by path."""
        table = pa.table([self.names, self.paths], names=["name", "path"])
        keys = ["name"]
        order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
        names = self.names.take(order)
        if len(names) > 1 and pc.any(pc.equal(names[1:], names[:-1])).as_py():
            order = pc.sort_indices(table, sort_keys=[("name", "ascending"), ("path", "ascending")])
            names = self.names.take(order)
        rows = order.to_numpy()
        return SourceFiles(
            names,
            self.paths.take(order),
            self.is_video[rows],
            self.sizes[rows],
            self.mtimes_ns[rows],
            self.inodes[rows],
            None if self.versions is None else self.versions.take(order),
            self.looked_at_ns,
        )


class SourceFilesBuilder:
    """Collects files one by one, and holds few of them as objects.

    Args:
        remote: Whether the files have versions in the place of what the file system says.
    """

    def __init__(self, *, remote: bool = False) -> None:
        self._looked_at_ns = time.time_ns()
        self._remote = remote
        self._names: list[str] = []
        self._paths: list[bytes] = []
        self._versions: list[str] = []
        self._parts: list[tuple[pa.Array, pa.Array, pa.Array]] = []
        self._is_video, self._sizes, self._mtimes = array("b"), array("q"), array("q")
        self._inodes = array("Q")

    def add(self, name: str, path: str, *, is_video: bool, status: os.stat_result) -> None:
        """Add a file on this disk."""
        self._add(name, path, is_video, status.st_size, status.st_mtime_ns, status.st_ino)

    def add_remote(self, name: str, path: str, *, is_video: bool, num_bytes: int, version: str) -> None:
        """Add a remote file."""
        self._versions.append(version)
        self._add(name, path, is_video, num_bytes, 0, 0)

    def _add(self, name: str, path: str, is_video: bool, size: int, mtime_ns: int, inode: int) -> None:
        self._names.append(name)
        self._paths.append(os.fsencode(path))
        self._is_video.append(is_video)
        self._sizes.append(size)
        self._mtimes.append(mtime_ns)
        self._inodes.append(inode)
        if len(self._names) >= FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        part = pa.array(self._names, pa.string()), pa.array(self._paths, pa.large_binary())
        self._parts.append((*part, pa.array(self._versions, pa.string())))
        self._names, self._paths, self._versions = [], [], []

    def files(self) -> SourceFiles:
        """Return what was added, in that order; the builder is empty then."""
        self._flush()
        names, paths, versions = (pa.concat_arrays(parts) for parts in zip(*self._parts, strict=True))
        self._parts = []
        return SourceFiles(
            names,
            paths,
            np.frombuffer(self._is_video, dtype=np.bool_),
            np.frombuffer(self._sizes, dtype=np.int64),
            np.frombuffer(self._mtimes, dtype=np.int64),
            np.frombuffer(self._inodes, dtype=np.uint64),
            versions if self._remote else None,
            self._looked_at_ns,
        )
