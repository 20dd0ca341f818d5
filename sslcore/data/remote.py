"""Remote folders through fsspec: ``s3://bucket/prefix``, ``gs://``, ``memory://`` and what else it knows.

Files are listed and fetched by many threads at once, and each is on this disk only until it is decoded. A
file that has kept its size and version (its ETag, or the time it was changed) since the dataset before is not
fetched again. A lost connection is tried again, later and later; what cannot be had then is in quarantine.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sslcore.data.digests import DIGEST_BYTES, Digests, from_hex, to_hex
from sslcore.data.listing import Listing
from sslcore.data.media import media_kind
from sslcore.data.quarantine import Problem
from sslcore.data.source_file import SourceFile
from sslcore.data.source_files import SourceFiles, SourceFilesBuilder
from sslcore.errors import UserError

__all__ = ["REMOTE_FILE", "RemoteDigests", "RemoteFolder", "is_remote"]

log = logging.getLogger(__name__)

T = TypeVar("T")

REMOTE_FILE = "remote.parquet"
REMOTE_SCHEMA = pa.schema(
    [("name", pa.string()), ("num_bytes", pa.int64()), ("version", pa.string()), ("sha256", pa.string())]
)
WAITS = (0.5, 1.0, 2.0)
"""Seconds before each further attempt."""
NUM_THREADS = 16

# What file systems call what changes when a file does.
_VERSIONS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "checksum",
    "mtime",
    "LastModified",
    "updated",
    "created",
)
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def is_remote(source: str) -> bool:
    """Whether a source is an address such as ``s3://bucket/prefix``."""
    return "://" in source and not source.startswith("torchvision:")


class RemoteFolder:
    """A folder, or one video, on a file system of fsspec.

    Args:
        source: Its address.
        options: Of the file system, as fsspec takes them.

    Raises:
        UserError: If its kind of address is not known, or needs a package that is not installed.
    """

    def __init__(self, source: str, options: Mapping[str, Any]) -> None:
        self.source = source
        try:
            import fsspec

            self._system, path = fsspec.core.url_to_fs(source, **options)
        except ImportError as error:
            raise UserError(
                f"ingest.source {source} needs a package that is not installed ({error}); for s3:// type "
                "'pip install sslflow[s3]'"
            ) from error
        except (TypeError, ValueError) as error:
            line = (str(error).splitlines() or [""])[0]
            raise UserError(f"ingest.source {source} cannot be opened: {line}") from error
        self._root = path.rstrip("/")
        self._entries: dict[str, dict[str, Any]] | None = None

    def listing(self, tables: Path) -> Listing:
        """List it.

        Args:
            tables: A folder for its label tables, which takes the place of its root.

        Raises:
            UserError: If it is not there, or cannot be listed.
        """
        files, num_ignored = SourceFilesBuilder(remote=True), 0
        for name, entry in self._all().items():
            kind = media_kind(name)
            if kind is None or any(part.startswith(".") for part in name.split("/")):
                num_ignored += 1
                continue
            size = int(entry.get("size") or 0)
            files.add_remote(
                name, entry["name"], is_video=kind == "video", num_bytes=size, version=_version(entry)
            )
        return Listing(files.files(), [], num_ignored, tables)

    def fingerprint(self) -> str:
        """Return lines that change when a file is added, changed or removed, for DVC.

        Raises:
            UserError: If it is not there, or cannot be listed.
        """
        digest, total = hashlib.sha256(), 0
        for name, entry in self._all().items():
            size = int(entry.get("size") or 0)
            digest.update(f"{name}\t{size}\t{_version(entry)}\n".encode("utf-8", "surrogateescape"))
            total += size
        return f"{self.source}\n{len(self._all())} files\n{total} bytes\nsha256 {digest.hexdigest()}\n"

    def fetch(self, file: SourceFile, target: Path) -> Problem | None:
        """Copy a file to this disk; return why that is not possible."""

        def once() -> None:
            self._system.get_file(file.path, str(target))
            came = target.stat().st_size
            if file.num_bytes and came != file.num_bytes:
                raise OSError(f"{came} of {file.num_bytes} bytes came")

        try:
            _tried(once, file.name)
        except _FINAL as error:
            gone = isinstance(error, FileNotFoundError)
            return Problem(file.name, "unreadable", "gone since it was listed" if gone else "access denied")
        except Exception as error:  # every file system has errors of its own
            detail = f"could not be fetched in {len(WAITS) + 1} attempts ({type(error).__name__})"
            return Problem(file.name, "unreadable", detail)
        return None

    def fetch_tables(self, names: Iterable[str], folder: Path) -> None:
        """Copy those of these files that are there to a folder.

        Raises:
            UserError: If one of them cannot be fetched.
        """
        for name in names:
            entry = self._all().get(name)
            if entry is None:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            problem = self.fetch(
                SourceFile(name, entry["name"], "image", int(entry.get("size") or 0)), target
            )
            if problem is not None:
                raise UserError(f"{self.source}/{name} cannot be read: {problem.detail}")

    def _all(self) -> dict[str, dict[str, Any]]:
        """Return what is there, by name relative to the source, sorted."""
        if self._entries is None:
            try:
                found = _tried(self._list, self.source)
            except FileNotFoundError as error:
                raise UserError(f"ingest.source {self.source} does not exist, or nothing is in it") from error
            except Exception as error:  # every file system has errors of its own
                line = (str(error).splitlines() or [""])[0]
                raise UserError(
                    f"ingest.source {self.source} cannot be listed ({type(error).__name__}: {line}); check "
                    "the address, the credentials in the environment, and ingest.storage_options"
                ) from error
            self._entries = dict(sorted(found.items()))
        return self._entries

    def _list(self) -> dict[str, dict[str, Any]]:
        """List the top, and the folders in it at once."""
        self._system.invalidate_cache()
        top = self._system.ls(self._root, detail=True)
        files = [entry for entry in top if entry["type"] == "file"]
        folders = [entry["name"] for entry in top if entry["type"] == "directory"]
        with ThreadPoolExecutor(NUM_THREADS) as threads:
            for found in threads.map(lambda folder: self._system.find(folder, detail=True), folders):
                files += [entry for entry in found.values() if entry["type"] == "file"]
        # One file lists as itself; S3 has empty objects that stand for folders.
        base = (
            self._root.rpartition("/")[0] if [each["name"] for each in files] == [self._root] else self._root
        )
        named = {entry["name"][len(base) :].lstrip("/"): entry for entry in files}
        return {name: entry for name, entry in named.items() if name and not name.endswith("/")}


def _version(entry: Mapping[str, Any]) -> str:
    return next((str(entry[key]).strip('"') for key in _VERSIONS if entry.get(key) is not None), "")


def _tried(work: Callable[[], T], what: str) -> T:
    """Do something that may fail because of the connection, several times."""
    for number, wait in enumerate(WAITS, 1):
        try:
            return work()
        except _FINAL:
            raise
        except Exception as error:  # every file system has errors of its own
            log.warning("%s: attempt %d failed (%s), trying again", what, number, type(error).__name__)
            time.sleep(wait)
    return work()


class RemoteDigests:
    """The digests that the dataset before has of files that have not changed since.

    Args:
        previous: The dataset before.
        output: The dataset that is written.
        files: What is listed now.

    Attributes:
        is_known: Which files have kept their size and version, bool [N].
        digests: Their sha256, uint8 [N, 32]; zeros of the others.
    """

    def __init__(self, previous: Path | None, output: Path, files: SourceFiles) -> None:
        self._output = output
        self._files = files
        self.is_known = np.zeros(len(files), dtype=np.bool_)
        self.digests: Digests = np.zeros((len(files), DIGEST_BYTES), dtype=np.uint8)
        path = None if previous is None else previous / REMOTE_FILE
        if path is not None and path.is_file():
            try:
                self._look(pq.read_table(path, schema=REMOTE_SCHEMA))
            except (OSError, pa.ArrowException) as error:
                log.warning("%s is not taken over, every file is fetched: %s", path, error)

    def _look(self, before: pa.Table) -> None:
        files = self._files
        places = pc.index_in(files.names, value_set=before.column("name").combine_chunks())
        rows = pc.fill_null(places, 0)
        same = pc.and_(pc.is_valid(places), pc.not_equal(files.versions, ""))
        if not before.num_rows:
            return
        was = before.take(rows)
        same = pc.and_(same, pc.equal(was.column("num_bytes"), pa.array(files.sizes)))
        same = pc.and_(same, pc.equal(was.column("version"), files.versions))
        digests, fine = from_hex(was.column("sha256").combine_chunks())
        self.is_known = pc.fill_null(same, False).to_numpy() & fine
        self.digests[self.is_known] = digests[self.is_known]

    def save(self, digests: Digests, has: npt.NDArray[np.bool_]) -> None:
        """Write what is known now, beside the manifest.

        Args:
            digests: uint8 [N, 32].
            has: Which files have one, bool [N].
        """
        chosen, versions = pa.array(has), self._files.versions
        assert versions is not None
        columns = [
            self._files.names.filter(chosen),
            pa.array(self._files.sizes[has]),
            versions.filter(chosen),
            to_hex(digests[has]),
        ]
        pq.write_table(pa.table(columns, schema=REMOTE_SCHEMA), self._output / REMOTE_FILE)
