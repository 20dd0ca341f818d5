"""The labels that are known now: the data set's own, and the files people added, which win."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sslcore.errors import UserError
from sslcore.labels.names import SampleNames
from sslcore.labels.table import LabelRow, read_label_table

__all__ = ["MergedLabels", "merge_labels", "read_labels", "resolve"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MergedLabels:
    """What is known, and where it came from."""

    labels: dict[str, str]
    """The label of each labelled sample, by sample_id, in the order of the manifest."""
    num_from_dataset: int
    """Labels that are the data set's own (manifest.label) and stayed."""
    num_from_files: int
    """Labels that came from the files, new ones and corrections."""
    num_unknown: int
    """Rows of the files that name no sample of the data set; they are passed over."""
    num_rounds: int
    """Rounds in which people labelled: of each file as many as its column ``round`` names, or one without."""


def read_labels(folder: Path, manifest: pd.DataFrame) -> dict[str, str]:
    """Return the label of each labelled sample by sample_id; see `merge_labels`."""
    return merge_labels(folder, manifest).labels


def merge_labels(folder: Path, manifest: pd.DataFrame) -> MergedLabels:
    """Merge the labels of the data set with the ``*.csv`` files of a folder, which win.

    A row names its sample by ``sample_id`` or by ``filename`` (also by the name of a file with the
    same bytes, where the manifest has ``duplicates``; backslashes between folders and a leading ``./``
    are mended). Saying the same twice is fine; two labels for
    one sample are a conflict, because no order among people's files is more right than another.

    Args:
        folder: The workspace's ``data/labels``; may be missing or empty.
        manifest: The data set's manifest.

    Raises:
        UserError: If a file is no label file, or two rows give one sample different labels; names
            both places.
    """
    own: dict[str, str] = {
        sample_id: str(label)
        for sample_id, label in zip(manifest["sample_id"], manifest["label"], strict=True)
        if not pd.isna(label)
    }
    added, num_unknown, num_rounds = _added(folder, manifest)
    merged = own | added
    if num_unknown:
        logger.info("%d rows in %s name no sample of the data set; passed over", num_unknown, folder)
    return MergedLabels(
        labels={sample_id: merged[sample_id] for sample_id in manifest["sample_id"] if sample_id in merged},
        num_from_dataset=len(own.keys() - added.keys()),
        num_from_files=len(added),
        num_unknown=num_unknown,
        num_rounds=num_rounds,
    )


def _added(folder: Path, manifest: pd.DataFrame) -> tuple[dict[str, str], int, int]:
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not files:
        return {}, 0, 0
    known_ids, names = set(manifest["sample_id"]), SampleNames(manifest)
    labels: dict[str, str] = {}
    places: dict[str, str] = {}
    rounds: set[tuple[str, int | None]] = set()
    num_unknown = 0
    for path in files:
        for row in read_label_table(path):
            sample_id = resolve(row, known_ids, names)
            if sample_id is None:
                num_unknown += 1
                continue
            place = f"{path.name}, line {row.line}"
            if labels.setdefault(sample_id, row.label) != row.label:
                first = f"'{labels[sample_id]}' in {places[sample_id]}"
                raise UserError(
                    f"{folder}: '{row.filename or sample_id}' is {first} and '{row.label}' in {place}; "
                    "delete one of them"
                )
            places.setdefault(sample_id, place)
            rounds.add((path.name, row.round))
    return labels, num_unknown, len(rounds)


def resolve(row: LabelRow, known_ids: set[str], names: SampleNames) -> str | None:
    """Return the id of the sample that a row names, or None if there is no such sample."""
    if row.sample_id:
        return row.sample_id if row.sample_id in known_ids else None
    return names.find(row.filename)
