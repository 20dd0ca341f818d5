"""Labels back from a labelling tool: joined on sample_id, one label per sample, the rest reported."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sslcore.choices import check_choice
from sslcore.data import read_manifest
from sslcore.labels.consensus import Conflict, Consensus, agree
from sslcore.labels.exchange import Annotation, Box
from sslcore.labels.formats import FORMATS, coco, reader_of
from sslcore.labels.table import LabelRow, read_label_table

__all__ = ["TakeBackReport", "take_back"]


@dataclass(frozen=True)
class TakeBackReport:
    """What an import came to.

    Attributes:
        file: The label file, ``labels/NAME.csv``.
        num_labels: Labels in it now.
        num_new: Samples that had no label from this tool before.
        num_changed: Samples whose label from this tool is another now.
        num_boxes: Boxes beside it, in ``NAME.coco.json``.
        num_skipped: Samples that somebody skipped and nobody labelled.
        num_unknown: Annotations that name no sample of the data set.
        conflicts: Samples on which people do not agree; a tie has no label.
        elsewhere: Samples that another label file gives another label: that one is kept, this one left out.
    """

    file: Path
    num_labels: int
    num_new: int
    num_changed: int
    num_boxes: int
    num_skipped: int
    num_unknown: int
    conflicts: tuple[Conflict, ...]
    elsewhere: tuple[Conflict, ...]


def take_back(
    path: Path, *, dataset: Path, labels: Path, tool: str, name: str | None = None, image_root: str = ""
) -> TakeBackReport:
    """Read a tool's export and write ``labels/NAME.csv``.

    The same export again changes nothing, a newer one adds and changes; what the file had and the export
    lacks stays. Samples that get their first label from this tool are a round of labelling of their own,
    which the file's column ``round`` keeps.

    Args:
        path: The export: a file, or a folder for the tools that write folders.
        dataset: The data set's folder.
        labels: The folder of label files; made if it is missing.
        tool: One of FORMATS.
        name: Of the label file; the tool's name by default.
        image_root: What the tool has before each file name.

    Raises:
        UserError: If the tool is unknown or the export cannot be read; nothing is written then.
    """
    check_choice(tool, FORMATS, name="format")
    manifest = read_manifest(dataset)
    found = agree(reader_of(tool)(path), manifest, image_root=image_root)
    file = labels / f"{name or tool}.csv"
    before = _before(file, manifest)
    elsewhere = _elsewhere(file, manifest, found.labels)
    taken = {key: label for key, label in found.labels.items() if key not in {c.sample_id for c in elsewhere}}
    merged = {key: row.label for key, row in before.items()} | taken
    latest = max((row.round or 1 for row in before.values()), default=0)
    rounds = dict.fromkeys(taken, latest + 1) | {key: row.round or 1 for key, row in before.items()}
    filename_of = dict(zip(manifest["sample_id"], manifest["filename"], strict=True))
    labels.mkdir(parents=True, exist_ok=True)
    rows = [(key, name, merged[key], rounds[key]) for key, name in filename_of.items() if key in merged]
    _write_labels(file, rows)
    boxes = _merge_boxes(file.with_suffix(".coco.json"), found, manifest)
    return TakeBackReport(
        file=file,
        num_labels=len(merged),
        num_new=len(taken.keys() - before.keys()),
        num_changed=sum(key in before and before[key].label != label for key, label in taken.items()),
        num_boxes=boxes,
        num_skipped=found.num_skipped,
        num_unknown=len(found.unknown),
        conflicts=found.conflicts,
        elsewhere=elsewhere,
    )


def _before(file: Path, manifest: pd.DataFrame) -> dict[str, LabelRow]:
    if not file.is_file():
        return {}
    known = set(manifest["sample_id"])
    return {row.sample_id: row for row in read_label_table(file) if row.sample_id in known}


def _elsewhere(file: Path, manifest: pd.DataFrame, found: Mapping[str, str]) -> tuple[Conflict, ...]:
    """Return where other label files say something else; two labels for a sample would stop every stage."""
    rows = [
        Annotation(place=f"{other.name}", sample_id=row.sample_id, filename=row.filename, label=row.label)
        for other in sorted(file.parent.glob("*.csv"))
        if other != file
        for row in read_label_table(other)
    ]
    theirs = agree(rows, manifest).labels
    filename_of = dict(zip(manifest["sample_id"], manifest["filename"], strict=True))
    return tuple(
        Conflict(key, filename_of[key], f"{theirs[key]} there, {label} here", theirs[key])
        for key, label in found.items()
        if theirs.get(key, label) != label
    )


def _write_labels(file: Path, rows: Sequence[tuple[str, str, str, int]]) -> None:
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("sample_id", "filename", "label", "round"))
        writer.writerows(rows)
    os.replace(partial, file)


def _merge_boxes(file: Path, found: Consensus, manifest: pd.DataFrame) -> int:
    """Write the boxes as COCO beside the labels, those of before included. Returns how many there are."""
    known = set(manifest["sample_id"])
    before = {each.sample_id: each.boxes for each in coco.read(file)} if file.is_file() else {}
    boxes = {key: drawn for key, drawn in {**before, **found.boxes}.items() if key in known}
    if not boxes:
        return 0
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(json.dumps(_coco(boxes, manifest), indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, file)
    return sum(map(len, boxes.values()))


def _coco(boxes: Mapping[str, tuple[Box, ...]], manifest: pd.DataFrame) -> dict[str, object]:
    names = sorted({box.label for drawn in boxes.values() for box in drawn})
    number_of = {name: number for number, name in enumerate(names, 1)}
    images, annotations = list[dict[str, object]](), list[dict[str, object]]()
    for row in manifest[manifest["sample_id"].isin(list(boxes))].to_dict("records"):
        images.append(
            {"id": len(images) + 1, "file_name": row["filename"], "sample_id": row["sample_id"]}
            | {"width": row["width"], "height": row["height"]}
        )
        for box in boxes[row["sample_id"]]:
            place = [box.left, box.top, box.width, box.height]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": len(images), "category_id": number_of[box.label]}
                | {"bbox": place, "area": box.width * box.height, "iscrowd": 0}
            )
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    return {"images": images, "annotations": annotations, "categories": categories}
