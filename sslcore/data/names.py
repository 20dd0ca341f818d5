"""Names and labels of an ingestion's samples, as columns: images first, then the frames of each video."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.data.digests import fixed_bytes, to_hex
from sslcore.data.frame_names import frame_filenames
from sslcore.data.labels import LabelSource
from sslcore.data.samples import Collection, VideoContent
from sslcore.data.splits import splits_of

__all__ = ["Named", "Namer", "astray"]

_ODD_PARTS = r"(^|/)(\.{0,2}/|\.{0,2}$)"  # what normpath would change
_DUPLICATES = pa.list_(pa.string())


@dataclass(frozen=True, eq=False)
class Named:
    """Samples with their names, in no particular order.

    Attributes:
        rows: Of the samples in the collection, int64 [N].
        splits: Places in `sslcore.data.splits.SPLITS`, int8 [N].
        filename, label, video, duplicates: As in the manifest, [N].
        hidden: Labels of heldout.csv, string [N]; a sample that has one has no label.
    """

    rows: npt.NDArray[np.int64]
    splits: npt.NDArray[np.int8]
    filename: pa.StringArray
    label: pa.StringArray
    video: pa.StringArray
    duplicates: pa.ListArray
    hidden: pa.StringArray


class Namer:
    """Names the samples of a collection.

    Args:
        labels: Where labels come from.
        heldout: Hidden labels by name; they win over labels, which are then hidden.
        val_fraction: See `sslcore.data.splits.split_of`.
        test_fraction: See there.

    Attributes:
        num_conflicts: Samples whose names have several labels.
        num_hidden: Samples with a hidden label.
    """

    def __init__(
        self, labels: LabelSource, heldout: Mapping[str, str], *, val_fraction: float, test_fraction: float
    ) -> None:
        self.num_conflicts = 0
        self.num_hidden = 0
        self._sources = labels, LabelSource("heldout", table=heldout)
        self._fractions = {"val_fraction": val_fraction, "test_fraction": test_fraction}

    def named(self, collection: Collection, digests: pa.ChunkedArray) -> Named:
        """Return all samples.

        Args:
            collection: With the images and the videos.
            digests: sha256 of each row of it, binary [N].
        """
        parts = [self._images(*collection.image_names(), digests)]
        parts += [self._frames(video) for video in collection.videos.values()]
        columns = {
            name: pa.concat_arrays([getattr(part, name) for part in parts])
            for name in ("filename", "label", "video", "duplicates", "hidden")
        }
        found = Named(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.splits for part in parts]),
            **columns,
        )
        self.num_hidden = len(found.hidden) - found.hidden.null_count
        return found

    def _images(self, rows: npt.NDArray[np.int64], names: pa.StringArray, digests: pa.ChunkedArray) -> Named:
        order = np.arange(len(names))
        if len(names) > 1 and not pc.all(pc.less_equal(names[:-1], names[1:])).as_py():
            order = pc.sort_indices(names).to_numpy()
        order = order[np.argsort(rows[order], kind="stable")]
        rows, names = rows[order], names.take(pa.array(order))
        is_first = np.concatenate([[True], rows[1:] != rows[:-1]])[: len(rows)]
        firsts = np.flatnonzero(is_first)
        counts = np.diff(np.append(firsts, len(rows)))
        offsets = np.concatenate([[0], np.cumsum(counts - 1)]).astype(np.int32)
        others = names.filter(pa.array(~is_first))
        label, hidden = (self._of_groups(source, names, firsts, counts) for source in self._sources)
        rows = rows[firsts]
        contents = to_hex(fixed_bytes(digests.take(pa.array(rows))))
        return Named(
            rows,
            splits_of(contents, **self._fractions),
            names.take(pa.array(firsts)),
            pc.if_else(pc.is_null(hidden), label, None),
            pa.nulls(len(rows), pa.string()),
            pa.ListArray.from_arrays(offsets, others),
            hidden,
        )

    def _of_groups(
        self,
        source: LabelSource,
        names: pa.StringArray,
        firsts: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> pa.StringArray:
        """Return the first label that the names of each sample have; one content may lie in two classes."""
        if source.origin == "heldout" and not source.table:
            return pa.nulls(len(firsts), pa.string())
        every = source.labels_of_images(names)
        labels = every.take(pa.array(firsts))
        several = np.flatnonzero(counts > 1)
        if not len(several):
            return labels
        found = [
            self._first(every[start : start + count].to_pylist())
            for start, count in zip(firsts[several].tolist(), counts[several].tolist(), strict=True)
        ]
        mask = np.zeros(len(firsts), dtype=np.bool_)
        mask[several] = True
        return pc.replace_with_mask(labels, pa.array(mask), pa.array(found, pa.string()))

    def _first(self, labels: Sequence[str | None]) -> str | None:
        found = [label for label in labels if label is not None]
        self.num_conflicts += len(set(found)) > 1
        return found[0] if found else None

    def _frames(self, video: VideoContent) -> Named:
        names = sorted(video.names)
        indices = video.indices.tolist()
        filenames = [frame_filenames(name, indices, video.num_frames) for name in names]
        pairs = list(zip(names, filenames, strict=True))
        label, hidden = (self._of_frames(source, pairs, len(indices)) for source in self._sources)
        split = splits_of(pa.array([video.sha256]), **self._fractions)
        return Named(
            video.rows,
            np.repeat(split, len(indices)),
            pa.array(filenames[0], pa.string()),
            pc.if_else(pc.is_null(hidden), label, None),
            pa.array([names[0]] * len(indices), pa.string()),
            _without_first(filenames),
            hidden,
        )

    def _of_frames(
        self, source: LabelSource, pairs: list[tuple[str, list[str]]], num_frames: int
    ) -> pa.StringArray:
        if source.table:
            ways = [[source.label(name, video) for name in filenames] for video, filenames in pairs]
        else:  # of all frames of a video the same
            ways = [[source.label(filenames[0], video)] * num_frames for video, filenames in pairs]
        return pa.array([self._first(labels) for labels in zip(*ways, strict=True)], pa.string())


def _without_first(filenames: list[list[str]]) -> pa.ListArray:
    if len(filenames) == 1:
        offsets = np.zeros(len(filenames[0]) + 1, dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array([], pa.string()))
    return pa.array([list(others) for others in zip(*filenames[1:], strict=True)], _DUPLICATES)


def astray(source: LabelSource, used: pa.StringArray) -> list[str]:
    """Return the names of a table that are not among those used, sorted."""
    odd = pc.match_substring_regex(used, _ODD_PARTS)
    normal = [posixpath.normpath(name) for name in used.filter(odd).to_pylist()]
    keys = pa.array(sorted(source.table), pa.string())
    used = pa.concat_arrays([used, pa.array(normal, pa.string())])
    names: list[str] = keys.filter(pc.invert(pc.is_in(keys, value_set=used))).to_pylist()
    return names
