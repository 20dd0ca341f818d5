"""Put names, labels and splits to contents: the rows of the manifest and the summary of the dataset."""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sslcore.config import IngestConfig
from sslcore.data.encoding import StoreFormat
from sslcore.data.labels import LabelSource
from sslcore.data.manifest import SCHEMA_VERSION, DatasetInfo, fingerprint, ordered
from sslcore.data.near_duplicates import first_alike
from sslcore.data.quarantine import Problem
from sslcore.data.samples import Content, Sample
from sslcore.data.splits import Split, split_of

__all__ = ["Assembled", "assemble"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Assembled:
    """All that is written of a dataset beside its shards.

    Attributes:
        rows: Of the manifest.
        removed: Of samples that are no longer in the source.
        heldout: Hidden labels by sample_id; ``None`` if there is no such table.
        info: For dataset.json.
        notes: What a person should know of the labels.
    """

    rows: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    heldout: dict[str, str] | None
    info: DatasetInfo
    notes: tuple[str, ...]


def assemble(
    contents: Iterable[Content],
    *,
    config: IngestConfig,
    labels: LabelSource,
    heldout: Mapping[str, str] | None,
    problems: list[Problem],
    num_ignored: int,
    removed: Callable[[set[str]], list[dict[str, Any]]],
) -> Assembled:
    """Make the rows.

    Args:
        contents: What was found; the shards are closed.
        config: For the source's name and the split fractions.
        labels: Where labels come from.
        heldout: Hidden labels by name; they win over labels, which are then hidden.
        problems: What is in quarantine.
        num_ignored: Files that are neither image nor video.
        removed: From the sample_ids that are there to the rows that are not any more.
    """
    rows = _Rows(config, labels, heldout or {})
    for content in contents:
        rows.add(content)
    _mark_near_duplicates(rows.rows)
    present = {row["sample_id"] for row in rows.rows}
    gone = removed(present)
    counts = Counter(row["split"] for row in rows.rows)
    classes = tuple(sorted({row["label"] for row in rows.rows if row["label"] is not None}))
    info = DatasetInfo(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint(rows.rows),
        num_samples=len(rows.rows),
        num_images=sum(row["kind"] == "image" for row in rows.rows),
        num_frames=sum(row["kind"] == "frame" for row in rows.rows),
        num_labelled=sum(row["label"] is not None for row in rows.rows),
        num_classes=len(classes),
        classes=classes,
        num_quarantined=len(problems),
        num_ignored=num_ignored,
        num_duplicates=sum(len(row["duplicates"]) for row in rows.rows),
        num_near_duplicates=sum(row["near_duplicate_of"] is not None for row in rows.rows),
        num_removed=len(gone),
        splits={split: counts[split] for split in SPLITS},
        labels_from=labels.origin,
        source=config.source,
        store=StoreFormat(**config.store.model_dump()).described(),
    )
    hidden = None if heldout is None else rows.hidden
    return Assembled(rows.rows, gone, hidden, info, tuple(rows.notes()))


def _mark_near_duplicates(rows: list[dict[str, Any]]) -> None:
    """Name in each row the first sample, in the order of the manifest, that it looks like."""
    sorted_rows = ordered(rows)
    alike = first_alike(np.array([row["phash"] for row in sorted_rows], dtype=np.uint64))
    for row, place in zip(sorted_rows, alike.tolist(), strict=True):
        row["near_duplicate_of"] = sorted_rows[place]["sample_id"] if place >= 0 else None


class _Rows:
    def __init__(self, config: IngestConfig, labels: LabelSource, heldout: Mapping[str, str]) -> None:
        self.rows: list[dict[str, Any]] = []
        self.hidden: dict[str, str] = {}
        self._config = config
        self._labels = labels
        self._heldout = LabelSource("heldout", table=heldout)
        self._used: set[str] = set()
        self._num_conflicts = 0

    def add(self, content: Content) -> None:
        names = sorted(content.names)
        split = split_of(
            content.sha256,
            val_fraction=self._config.val_fraction,
            test_fraction=self._config.test_fraction,
        )
        for sample in content.samples:
            self.rows.append(self._row(content, sample, names, split))

    def _row(self, content: Content, sample: Sample, names: list[str], split: Split) -> dict[str, Any]:
        filenames = [content.filename(sample, name) for name in names]
        videos = names if content.is_video else [None] * len(names)
        pairs = list(zip(filenames, videos, strict=True))
        self._used.update(filenames, names)
        label = self._first(self._labels, pairs)
        hidden = self._first(self._heldout, pairs) if self._heldout.table else None
        if hidden is not None:
            self.hidden[sample.sample_id], label = hidden, None
        return {
            "sample_id": sample.sample_id,
            "filename": filenames[0],
            "source": self._config.source,
            "kind": sample.kind,
            "sha256": sample.sha256,
            "width": sample.width,
            "height": sample.height,
            "label": label,
            "split": split,
            "video": videos[0],
            "frame_index": sample.frame_index,
            "time_seconds": sample.time_seconds,
            "shard": sample.shard_name,
            "row": sample.row,
            "duplicates": filenames[1:],
            "num_bytes": sample.num_bytes,
            "sharpness": sample.sharpness,
            "brightness": sample.brightness,
            "contrast": sample.contrast,
            "phash": sample.phash,
        }

    def _first(self, source: LabelSource, names: list[tuple[str, str | None]]) -> str | None:
        """Return the first label that the names of a sample have; one content may lie in two classes."""
        found = [label for name, video in names if (label := source.label(name, video)) is not None]
        self._num_conflicts += len(set(found)) > 1
        return found[0] if found else None

    def notes(self) -> list[str]:
        """Return what is odd about the labels."""
        notes = list(self._labels.notes)
        if self._num_conflicts:
            notes.append(f"{self._num_conflicts} images lie under several labels, the first is taken")
        for source in (self._labels, self._heldout):
            if not source.table:
                continue
            astray = sorted(set(source.table) - {posixpath.normpath(name) for name in self._used})
            if astray:
                notes.append(
                    f"{len(astray)} names in the {source.origin} table match no sample ('{astray[0]}')"
                )
        if self.hidden:
            notes.append(f"{len(self.hidden)} labels held out")
        return notes
