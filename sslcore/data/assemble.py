"""Put names, labels and splits to contents: the manifest and the summary of the dataset."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.config import IngestConfig
from sslcore.data.digests import fixed_bytes, to_hex
from sslcore.data.encoding import StoreFormat
from sslcore.data.known import Known
from sslcore.data.labels import LabelSource
from sslcore.data.manifest import MANIFEST_SCHEMA, SCHEMA_VERSION, DatasetInfo, fingerprint, manifest_order
from sslcore.data.names import Named, Namer, astray
from sslcore.data.old_marks import marks_after
from sslcore.data.quarantine import Problem
from sslcore.data.samples import Collection
from sslcore.data.splits import SPLITS

__all__ = ["Assembled", "assemble"]


@dataclass(frozen=True)
class Assembled:
    """All that is written of a dataset beside its shards.

    Attributes:
        rows: The manifest, in order.
        removed: Rows of samples that are no longer in the source.
        heldout: Hidden labels by sample_id; ``None`` if there is no such table.
        info: For dataset.json.
        notes: What a person should know of the labels.
    """

    rows: pa.Table
    removed: pa.Table
    heldout: pa.Table | None
    info: DatasetInfo
    notes: tuple[str, ...]


def assemble(
    collection: Collection,
    *,
    known: Known,
    config: IngestConfig,
    labels: LabelSource,
    heldout: Mapping[str, str] | None,
    problems: list[Problem],
    num_ignored: int,
) -> Assembled:
    """Make the manifest, column by column.

    Args:
        collection: What was found; the shards are closed.
        known: What was there before. Its samples are given up, to hold one manifest at a time.
        config: For the source's name and the split fractions.
        labels: Where labels come from.
        heldout: Hidden labels by name; they win over labels, which are then hidden.
        problems: What is in quarantine.
        num_ignored: Files that are neither image nor video.
    """
    namer = Namer(labels, heldout or {}, val_fraction=config.val_fraction, test_fraction=config.test_fraction)
    new = collection.new_samples()
    samples = pa.concat_tables([known.samples, new])
    named = namer.named(collection, samples.column("sha256"))
    removed = known.rows(_are_gone(known, named.rows, new.column("sample_id")))
    known.release()
    del new
    columns = {name: samples.column(name) for name in samples.column_names}
    del samples
    hidden = None if heldout is None else _hidden(named, columns["sample_id"])
    rows = _manifest(named, columns, known, source=config.source, shards=collection.shard_names())
    info = _info(rows, labels, config, problems, num_ignored=num_ignored, num_removed=removed.num_rows)
    notes = _notes(namer, labels, heldout or {}, rows, collection)
    return Assembled(rows, removed, hidden, info, tuple(notes))


def _are_gone(known: Known, rows: npt.NDArray[np.int64], new_ids: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return which of the known samples are not in the source any more."""
    gone = np.ones(len(known), dtype=np.bool_)
    gone[rows[rows < len(known)]] = False
    if len(new_ids) and len(known):  # one that was measured anew is a new row
        again = pc.is_in(known.samples.column("sample_id"), value_set=new_ids.combine_chunks())
        gone &= ~again.to_numpy()
    return gone


def _hidden(named: Named, sample_ids: pa.ChunkedArray) -> pa.Table:
    has = named.hidden.is_valid()
    rows = pa.array(named.rows).filter(has)
    return pa.table([sample_ids.take(rows), named.hidden.filter(has)], names=["sample_id", "label"])


def _manifest(
    named: Named, columns: dict[str, pa.ChunkedArray], known: Known, *, source: str, shards: pa.StringArray
) -> pa.Table:
    """Return the manifest in order; ``columns`` are given up one by one, to hold few of them twice."""
    rows = pa.array(named.rows)
    keys = {name: columns[name].take(rows) for name in ("frame_index", "sample_id")}
    order = manifest_order(pa.table({"filename": named.filename, **keys}))
    del keys
    rows = rows.take(order)
    made = {
        "source": pa.repeat(pa.scalar(source, pa.string()), len(rows)),
        "split": pa.array(SPLITS, pa.string()).take(pa.array(named.splits).take(order)),
        **{name: getattr(named, name).take(order) for name in ("filename", "label", "video", "duplicates")},
    }
    for name in list(columns):
        column = columns.pop(name).take(rows).combine_chunks()
        if name == "sha256":
            column = to_hex(fixed_bytes(column))
        if name == "shard":
            column = shards.take(column)
        made[name] = column.cast(MANIFEST_SCHEMA.field(name).type)
    made["near_duplicate_of"] = _near_duplicates(made, rows.to_numpy(), known)
    return pa.table([made[name] for name in MANIFEST_SCHEMA.names], schema=MANIFEST_SCHEMA)


def _near_duplicates(
    made: Mapping[str, pa.Array], rows: npt.NDArray[np.int64], known: Known
) -> pa.StringArray:
    """Return for each sample the first, in the order of the manifest, that it looks like."""
    carried = known.marks.carried(rows, made["filename"])
    alike = marks_after(made["phash"].to_numpy(zero_copy_only=False), carried)
    return made["sample_id"].take(pa.array(alike, mask=alike < 0))


def _info(
    rows: pa.Table,
    labels: LabelSource,
    config: IngestConfig,
    problems: list[Problem],
    *,
    num_ignored: int,
    num_removed: int,
) -> DatasetInfo:
    num_images = pc.sum(pc.equal(rows.column("kind"), "image")).as_py() or 0
    classes = tuple(sorted(rows.column("label").drop_null().unique().to_pylist()))
    splits = {each["values"]: each["counts"] for each in rows.column("split").value_counts().to_pylist()}
    return DatasetInfo(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint(rows),
        num_samples=rows.num_rows,
        num_images=num_images,
        num_frames=rows.num_rows - num_images,
        num_labelled=rows.num_rows - rows.column("label").null_count,
        num_classes=len(classes),
        classes=classes,
        num_quarantined=len(problems),
        num_ignored=num_ignored,
        num_duplicates=pc.sum(pc.list_value_length(rows.column("duplicates"))).as_py() or 0,
        num_near_duplicates=rows.num_rows - rows.column("near_duplicate_of").null_count,
        num_removed=num_removed,
        splits={split: splits.get(split, 0) for split in SPLITS},
        labels_from=labels.origin,
        source=config.source,
        store=StoreFormat(**config.store.model_dump()).described(),
    )


def _notes(
    namer: Namer,
    labels: LabelSource,
    heldout: Mapping[str, str],
    rows: pa.Table,
    collection: Collection,
) -> list[str]:
    """Return what is odd about the labels."""
    notes = list(labels.notes)
    if namer.num_conflicts:
        notes.append(f"{namer.num_conflicts} images lie under several labels, the first is taken")
    for source in (labels, LabelSource("heldout", table=heldout)):
        if not source.table:
            continue
        videos = [name for video in collection.videos.values() for name in video.names]
        names = [rows.column("filename"), rows.column("duplicates").combine_chunks().flatten()]
        used = pa.chunked_array([*names[0].chunks, names[1], pa.array(videos, pa.string())])
        lost = astray(source, used.combine_chunks())
        if lost:
            notes.append(f"{len(lost)} names in the {source.origin} table match no sample ('{lost[0]}')")
    if namer.num_hidden:
        notes.append(f"{namer.num_hidden} labels held out")
    return notes
