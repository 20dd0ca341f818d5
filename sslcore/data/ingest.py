"""The ingest stage: from a source to a dataset folder. Nothing that can be read is lost.

Every file is hashed; what the dataset before has stored is taken over as it is, the rest is decoded fully
and appended in new shards. What cannot be read goes to quarantine. The same source, config and dataset
before give the same bytes, for any number of workers and any order of the file system.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.config import IngestConfig
from sslcore.data.assemble import Assembled, assemble
from sslcore.data.encoding import StoreFormat
from sslcore.data.examine import Finding
from sslcore.data.items import ItemSet
from sslcore.data.known import VIDEOS_FILE, Known, TakenFrames, write_taken_frames
from sslcore.data.labels import LABELS_FILES, LabelSource, find_label_source, read_label_table
from sslcore.data.listing import Listing, list_source
from sslcore.data.manifest import write_dataset_info, write_heldout, write_manifest, write_quarantine
from sslcore.data.media import Limits, accepted_extensions
from sslcore.data.metadata import METADATA_FILES, find_metadata, read_metadata, write_metadata
from sslcore.data.pool import Examination, examine_files
from sslcore.data.quarantine import Problem, check_bad_fraction, count_reasons
from sslcore.data.remote import RemoteDigests, RemoteFolder, is_remote
from sslcore.data.samples import Collection
from sslcore.data.source_file import SourceFile
from sslcore.data.stat_cache import StatCache
from sslcore.data.store import ShardWriter
from sslcore.data.take_over import take_over
from sslcore.data.torchvision_set import PREFIX, open_torchvision
from sslcore.errors import UserError
from sslcore.monitor import SILENT, Monitor

__all__ = ["HELDOUT_FILE", "IngestReport", "ingest"]

HELDOUT_FILE = "heldout.csv"
Fetch = Callable[[SourceFile, Path], Problem | None]


@dataclass(frozen=True)
class IngestReport:
    """What was ingested.

    Attributes:
        summary: A line or two for a person.
        figures: Counts by name.
    """

    summary: str
    figures: dict[str, float]


def ingest(
    config: IngestConfig,
    *,
    output: Path,
    previous: Path | None = None,
    root: Path = Path("."),
    monitor: Monitor = SILENT,
    stat_cache: Path | None = None,
    items: ItemSet | None = None,
) -> IngestReport:
    """Read a source into ``output``.

    Args:
        config: What to read and how.
        output: An empty folder.
        previous: The last whole dataset; its shards are linked, not rewritten.
        root: What a relative source is relative to.
        monitor: Told of the files that are done.
        stat_cache: File that remembers the digests of files, so that unchanged ones are not read again; it
            has no influence on what is written.
        items: What to read in the place of the source, which then only names it.

    Raises:
        UserError: If the source is missing or has nothing that can be read, too many files are bad, a label
            table is malformed, or a torchvision set cannot be opened.
    """
    store = StoreFormat(**config.store.model_dump())
    known = Known(previous, store)
    shards = output / "shards"
    shards.mkdir(parents=True)
    known.link_shards(shards)
    writer = ShardWriter(shards, shard_bytes=config.shard_megabytes << 20, store=store)
    intake = _Intake(config, known, Collection(known, writer), monitor)
    if items is not None:
        labels, heldout = intake.items(items, root)
    elif config.source.startswith(PREFIX):
        labels, heldout = intake.torchvision(root)
    elif is_remote(config.source):
        labels, heldout = intake.remote(output, previous)
    else:
        labels, heldout = intake.files(root, output / "spool", stat_cache)
    writer.close()
    pa.default_memory_pool().release_unused()
    result = assemble(
        intake.collection,
        known=known,
        config=config,
        labels=labels,
        heldout=heldout,
        problems=intake.problems,
        num_ignored=intake.num_ignored,
    )
    _write(result, intake, output)
    return _report(result, intake, writer.num_bytes)


class _Intake:
    """Takes in one source."""

    def __init__(self, config: IngestConfig, known: Known, collection: Collection, monitor: Monitor) -> None:
        self.config = config
        self.known = known
        self.collection = collection
        self.monitor = monitor
        self.problems: list[Problem] = []
        self.metadata: pa.Table | None = None
        self.num_ignored = 0
        self.num_done = 0
        self.limits = Limits(config.min_side, config.max_megapixels)
        self.store = StoreFormat(**config.store.model_dump())

    def torchvision(self, root: Path) -> tuple[LabelSource, dict[str, str] | None]:
        if "{label}" in self.config.labels:
            raise UserError("ingest.labels: a pattern needs file names, torchvision sets have none; use auto")
        return self.items(open_torchvision(self.config.source, root), root)

    def items(self, items: ItemSet, root: Path) -> tuple[LabelSource, dict[str, str] | None]:
        for finding in items.findings(self.collection.has_image, self.limits, self.store):
            self._add(finding, root / "no-spool", items.length)
        if not items.num_items:
            raise UserError(f"{self.config.source} has no items")
        self._check(items.num_items)
        return self._target_labels(items, root), None

    def _target_labels(self, items: ItemSet, root: Path) -> LabelSource:
        if self.config.labels == "auto":
            return LabelSource("targets" if items.labels else "none", table=items.labels)
        no_names = pa.array([], pa.string())
        return find_label_source(self.config.labels, root=root, images=no_names, videos=[])

    def files(
        self, root: Path, spool: Path, stat_cache: Path | None
    ) -> tuple[LabelSource, dict[str, str] | None]:
        listing = list_source(self.config.source, root)
        pa.default_memory_pool().release_unused()
        return self._listed(listing, spool, StatCache(stat_cache, listing.files))

    def remote(self, output: Path, previous: Path | None) -> tuple[LabelSource, dict[str, str] | None]:
        folder = RemoteFolder(self.config.source, self.config.storage_options)
        tables = output / "tables"
        tables.mkdir()
        listing = folder.listing(tables)
        named = {self.config.labels, self.config.metadata}
        folder.fetch_tables(sorted({*LABELS_FILES, *METADATA_FILES, HELDOUT_FILE, *named}), tables)
        digests = RemoteDigests(previous, output, listing.files)
        labels = self._listed(listing, output / "spool", digests, fetch=folder.fetch)
        shutil.rmtree(tables)
        return labels

    def _listed(
        self,
        listing: Listing,
        spool: Path,
        remembered: StatCache | RemoteDigests,
        *,
        fetch: Fetch | None = None,
    ) -> tuple[LabelSource, dict[str, str] | None]:
        self.problems += listing.problems
        self.num_ignored = listing.num_ignored
        if not listing.files and not listing.problems:
            raise UserError(
                f"ingest.source '{self.config.source}' has no image and no video ({listing.root}, "
                f"{listing.num_ignored} other files); accepted are {accepted_extensions()}"
            )
        files, progress = listing.files, self._progress(len(listing.files))
        pa.default_memory_pool().release_unused()
        told = take_over(files, remembered, self.known, self.collection, self.config, progress)
        spool.mkdir()
        # Long videos first, so that no worker is left alone with one at the end.
        places = np.flatnonzero(~told.kept)
        order = places[np.lexsort((-files.sizes[places] * files.is_video[places], ~files.is_video[places]))]
        patience = self.config.max_seconds_per_file
        how = Examination(self.config.frames, self.limits, spool, self.store, fetch, patience)
        unknown = (files[place] for place in order.tolist())
        found = examine_files(unknown, how, num_workers=self.config.num_workers)
        for place, (finding, frames) in zip(order.tolist(), found, strict=True):
            self._add(finding, frames, len(files))
            if finding.kind != "nothing":
                told.add(place, finding.sha256)
        spool.rmdir()
        remembered.save(told.digests, told.kept)
        self._check(len(files) + len(listing.problems))
        return self._file_labels(listing)

    def _progress(self, total: int) -> Callable[[int], None]:
        def done(number: int) -> None:
            self.num_done += number
            self.monitor.progress(self.num_done, total, "files")

        return done

    def _add(self, finding: Finding, spool: Path, total: int | None) -> None:
        if finding.problem is not None:
            self.problems.append(finding.problem)
        self.collection.add(finding, spool)
        self._done(total)

    def _done(self, total: int | None) -> None:
        self.num_done += 1
        self.monitor.progress(self.num_done, total, "files")

    def _check(self, num_files: int) -> None:
        _, images = self.collection.image_names()
        videos = [name for each in self.collection.videos.values() for name in each.names]
        paths = pa.array([each.path for each in self.problems], pa.string())
        kept = pc.or_(
            pc.is_in(paths, value_set=images), pc.is_in(paths, value_set=pa.array(videos, pa.string()))
        )
        check_bad_fraction(
            [each for each, is_kept in zip(self.problems, kept.to_pylist(), strict=True) if not is_kept],
            num_files=num_files,
            num_kept=len(images) + len(videos),
            max_bad_fraction=self.config.max_bad_fraction,
            where=self.config.source,
        )

    def _file_labels(self, listing: Listing) -> tuple[LabelSource, dict[str, str] | None]:
        _, images = self.collection.image_names()
        videos = [name for each in self.collection.videos.values() for name in each.names]
        labels = find_label_source(self.config.labels, root=listing.root, images=images, videos=videos)
        path = find_metadata(self.config.metadata, listing.root)
        self.metadata = None if path is None else read_metadata(path)
        heldout = listing.root / HELDOUT_FILE
        return labels, read_label_table(heldout) if heldout.is_file() else None


def _write(result: Assembled, intake: _Intake, output: Path) -> None:
    write_manifest(result.rows, output / "manifest.parquet")
    write_manifest(result.removed, output / "removed.parquet")
    write_quarantine(intake.problems, output / "quarantine.parquet")
    if result.heldout is not None:
        write_heldout(result.heldout, output / "heldout.parquet")
    if intake.metadata is not None:
        write_metadata(result.rows, intake.metadata, output / "metadata.parquet")
    whole = [each for each in intake.collection.videos.values() if each.whole]
    if whole:
        taken = [
            TakenFrames(
                sha256=each.sha256,
                frames=intake.config.frames,
                num_frames=each.num_frames,
                taken=each.indices,
            )
            for each in whole
        ]
        write_taken_frames(taken, output / VIDEOS_FILE)
    write_dataset_info(result.info, output / "dataset.json")


def _report(result: Assembled, intake: _Intake, num_bytes: int) -> IngestReport:
    info = result.info
    num_videos = len(intake.collection.videos)
    frames = f", {info.num_frames} frames of {num_videos} videos" if num_videos else ""
    parts = [
        f"{info.num_samples} samples ({info.num_images} images{frames}), {intake.collection.num_new} new",
        f"{info.num_duplicates} duplicates" if info.num_duplicates else "",
        f"{info.num_near_duplicates} near-duplicates" if info.num_near_duplicates else "",
        f"{info.num_removed} removed" if info.num_removed else "",
        f"{len(intake.problems)} in quarantine ({count_reasons(intake.problems)})" if intake.problems else "",
        f"{info.num_ignored} other files ignored" if info.num_ignored else "",
    ]
    first = ", ".join(part for part in parts if part)
    figures = {
        "num_samples": info.num_samples,
        "num_new": intake.collection.num_new,
        "num_images": info.num_images,
        "num_frames": info.num_frames,
        "num_labelled": info.num_labelled,
        "num_classes": info.num_classes,
        "num_quarantined": info.num_quarantined,
        "num_ignored": info.num_ignored,
        "num_duplicates": info.num_duplicates,
        "num_near_duplicates": info.num_near_duplicates,
        "num_removed": info.num_removed,
        "new_megabytes": num_bytes / 1e6,
    }
    return IngestReport(f"{first}\n{_label_line(result)}", {name: float(n) for name, n in figures.items()})


def _label_line(result: Assembled) -> str:
    info = result.info
    notes = "".join(f", {note}" for note in result.notes)
    if info.labels_from == "none":
        return f"no labels (ingest.labels says where to look){notes}"
    hint = {
        "class folders": "; ingest.labels: none turns that off",
        **dict.fromkeys(LABELS_FILES, "; ingest.labels: none leaves it unread"),
        "targets": "; ingest.labels: none turns that off",
    }.get(info.labels_from, "")
    return f"{info.num_labelled} labelled in {info.num_classes} classes, from {info.labels_from}{hint}{notes}"
