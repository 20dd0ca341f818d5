"""Which files of a source hold what is stored already: known by their digests, all at once."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sslcore.config import IngestConfig
from sslcore.data.digests import Digests
from sslcore.data.examine import hash_file
from sslcore.data.known import Known
from sslcore.data.media import Limits
from sslcore.data.samples import Collection
from sslcore.data.source_files import SourceFiles

__all__ = ["Remembered", "Told", "take_over"]

AT_ONCE = 4096


class Remembered(Protocol):
    """What is known of files without reading them: `StatCache` and `RemoteDigests`."""

    is_known: npt.NDArray[np.bool_]
    digests: Digests

    def save(self, digests: Digests, has: npt.NDArray[np.bool_], /) -> None:
        """Remember the digests of files that have one."""


class Told:
    """Which files are in the dataset so far, and their digests.

    Attributes:
        kept: bool [N].
        digests: uint8 [N, 32].
    """

    def __init__(self, digests: Digests) -> None:
        self.digests = digests
        self.kept = np.zeros(len(digests), dtype=np.bool_)

    def add(self, place: int, sha256: str) -> None:
        """Note that a file is in the dataset."""
        self.kept[place] = True
        self.digests[place] = np.frombuffer(bytes.fromhex(sha256), dtype=np.uint8)


def take_over(
    files: SourceFiles,
    remembered: Remembered,
    known: Known,
    collection: Collection,
    config: IngestConfig,
    progress: Callable[[int], None],
) -> Told:
    """Add the files whose content is stored to a collection.

    Files on this disk that have changed are hashed for it; remote ones are not, since they would have to be
    fetched.

    Args:
        files: Of the source.
        remembered: What is known of them.
        known: What is stored.
        collection: Takes them.
        config: For the limits, the frames and the number of threads that hash.
        progress: Told of how many more files are done.
    """
    told = Told(remembered.digests)
    if not len(known):
        return told
    has = remembered.is_known.copy()
    fits = _fit(known, Limits(config.min_side, config.max_megapixels))
    threads = ThreadPoolExecutor(config.num_workers or os.cpu_count() or 1)
    with threads:
        for start in range(0, len(files), AT_ONCE):
            part = slice(start, min(start + AT_ONCE, len(files)))
            if files.versions is None:
                _hash(files, part, told.digests, has, threads)
            before = int(told.kept.sum())
            _take_images(files, part, told, has, known, collection, fits)
            for place in np.flatnonzero(has[part] & files.is_video[part]).tolist():
                _take_video(files, start + place, told, known, collection, fits, config.frames)
            progress(int(told.kept.sum()) - before)
    return told


def _fit(known: Known, limits: Limits) -> npt.NDArray[np.bool_]:
    """Return which known samples keep to the limits, bool [N]; as `Limits.violated` says of each."""
    width, height = (known.samples.column(name).to_numpy() for name in ("width", "height"))
    few = width * height <= limits.max_megapixels * 1e6
    return np.asarray((np.minimum(width, height) >= limits.min_side) & few)


def _hash(
    files: SourceFiles,
    part: slice,
    digests: Digests,
    has: npt.NDArray[np.bool_],
    threads: ThreadPoolExecutor,
) -> None:
    """Hash in threads: hashing and reading leave the interpreter free."""
    places = (part.start + np.flatnonzero(~has[part])).tolist()
    paths = (Path(os.fsdecode(files.paths[place].as_py())) for place in places)
    for place, digest in zip(places, threads.map(_digest, paths), strict=True):
        if digest:
            digests[place], has[place] = np.frombuffer(bytes.fromhex(digest), dtype=np.uint8), True


def _digest(path: Path) -> str:
    with suppress(OSError):
        return hash_file(path)
    return ""


def _take_images(
    files: SourceFiles,
    part: slice,
    told: Told,
    has: npt.NDArray[np.bool_],
    known: Known,
    collection: Collection,
    fits: npt.NDArray[np.bool_],
) -> None:
    places = part.start + np.flatnonzero(has[part] & ~files.is_video[part])
    rows = known.images.find(told.digests[places])
    fine = rows >= 0
    fine[fine] = fits[rows[fine]]
    places = places[fine]
    if len(places):
        told.kept[places] = True
        collection.take_images(rows[fine], files.names.take(pa.array(places)))


def _take_video(
    files: SourceFiles,
    place: int,
    told: Told,
    known: Known,
    collection: Collection,
    fits: npt.NDArray[np.bool_],
    frames: str,
) -> None:
    video = known.video(told.digests[place].tobytes().hex(), frames)
    if video is not None and fits[video.rows].all():
        told.kept[place] = True
        collection.take_video(files.names[place].as_py(), video)
