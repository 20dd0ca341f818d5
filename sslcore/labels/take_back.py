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
from sslcore.errors import UserError
from sslcore.labels.consensus import Conflict, Consensus, agree
from sslcore.labels.exchange import Annotation, Box
from sslcore.labels.formats import FORMATS, coco, reader_of
from sslcore.labels.merge import resolve
from sslcore.labels.names import SampleNames
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
        num_withdrawn: Samples that had a label from this tool, which a skip or a tie took away.
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
    num_withdrawn: int
    num_boxes: int
    num_skipped: int
    num_unknown: int
    conflicts: tuple[Conflict, ...]
    elsewhere: tuple[Conflict, ...]


@dataclass(frozen=True)
class _Drawn:
    """A sample with its boxes; width and height in pixels."""

    sample_id: str
    filename: str
    size: tuple[float, float]
    boxes: tuple[Box, ...]


def take_back(
    path: Path,
    *,
    dataset: Path,
    labels: Path,
    tool: str,
    name: str | None = None,
    image_root: str = "",
    confirmed: bool = False,
) -> TakeBackReport:
    """Read a tool's export and write ``labels/NAME.csv``.

    The same export again changes nothing, a newer one adds and changes; what the file had and the export
    lacks stays, also of samples that are not in the data set now. A sample that somebody skipped and nobody
    labelled, and one with a tie, loses what this file had; where an export has boxes, a sample that is
    labelled without any loses its boxes. Samples that get their first label from this tool are a round of
    labelling of their own, which the file's column ``round`` keeps.

    Args:
        path: The export: a file, or a folder for the tools that write folders.
        dataset: The data set's folder.
        labels: The folder of label files; made if it is missing.
        tool: One of FORMATS.
        name: Of the label file; the tool's name by default.
        image_root: What the tool has before each file name.
        confirmed: Whether suggestions that nobody changed are labels too (CVAT, COCO).

    Raises:
        UserError: If the tool is unknown, the name is no file's, or the export or what is there cannot be
            read; nothing is written then.
    """
    check_choice(tool, FORMATS, name="format")
    name = tool if name is None else name
    if not name or name.startswith(".") or set(name) & set("/\\"):
        raise UserError(f"--name {name}: a file's name is needed, without folders and a dot in front")
    manifest = read_manifest(dataset)
    found = agree(reader_of(tool, confirmed=confirmed)(path), manifest, image_root=image_root)
    file = labels / f"{name}.csv"
    before, absent = _before(file, manifest)
    elsewhere = _elsewhere(file, manifest, found.labels)
    taken = {key: label for key, label in found.labels.items() if key not in {c.sample_id for c in elsewhere}}
    kept = {key: row for key, row in before.items() if key not in found.withdrawn}
    merged = {key: row.label for key, row in kept.items()} | taken
    latest = max((row.round or 1 for row in (*before.values(), *absent)), default=0)
    rounds = dict.fromkeys(taken, latest + 1) | {key: row.round or 1 for key, row in kept.items()}
    filename_of = dict(zip(manifest["sample_id"], manifest["filename"], strict=True))
    rows = [(key, name, merged[key], rounds[key]) for key, name in filename_of.items() if key in merged]
    rows += [(row.sample_id, row.filename, row.label, row.round or 1) for row in absent]
    boxes = _boxes(file.with_suffix(".coco.json"), found, manifest)
    labels.mkdir(parents=True, exist_ok=True)
    _write_labels(file, rows)
    _write_boxes(file.with_suffix(".coco.json"), boxes)
    return TakeBackReport(
        file=file,
        num_labels=len(merged),
        num_new=len(taken.keys() - before.keys()),
        num_changed=sum(key in before and before[key].label != label for key, label in taken.items()),
        num_withdrawn=len(before) - len(kept),
        num_boxes=sum(len(each.boxes) for each in boxes),
        num_skipped=found.num_skipped,
        num_unknown=len(found.unknown),
        conflicts=found.conflicts,
        elsewhere=elsewhere,
    )


def _before(file: Path, manifest: pd.DataFrame) -> tuple[dict[str, LabelRow], list[LabelRow]]:
    """Return what the file has by sample_id, and its rows of samples that are not in the data set now."""
    known, names = set(manifest["sample_id"]), SampleNames(manifest)
    here, absent = dict[str, LabelRow](), list[LabelRow]()
    for row in read_label_table(file) if file.is_file() else ():
        key = resolve(row, known, names)
        if key is None:
            absent.append(row)
        elif here.setdefault(key, row).label != row.label:
            raise UserError(
                f"{file}, line {row.line}: '{row.filename or key}' is '{row.label}' here and "
                f"'{here[key].label}' in line {here[key].line}; delete one of them"
            )
    return here, absent


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


def _boxes(file: Path, found: Consensus, manifest: pd.DataFrame) -> list[_Drawn]:
    """Return what has boxes now, in the order of the manifest, then what is not in the data set now."""
    before = {each.sample_id: each for each in coco.read(file)} if file.is_file() else {}
    gone = found.withdrawn | (found.boxless if found.boxes else frozenset())
    boxes = {key: each.boxes for key, each in before.items() if key not in gone} | dict(found.boxes)
    here = [
        _Drawn(row["sample_id"], row["filename"], (row["width"], row["height"]), boxes[row["sample_id"]])
        for row in manifest[manifest["sample_id"].isin(list(boxes))].to_dict("records")
    ]
    absent = [before[key] for key in before.keys() - set(manifest["sample_id"])]
    return here + [
        _Drawn(each.sample_id, each.filename, each.size or (0, 0), each.boxes)
        for each in sorted(absent, key=lambda each: each.filename)
    ]


def _write_boxes(file: Path, drawn: Sequence[_Drawn]) -> None:
    """Write boxes as COCO; where there are none, a file is written only over one that is there."""
    if not drawn and not file.is_file():
        return
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(json.dumps(_coco(drawn), indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, file)


def _coco(drawn: Sequence[_Drawn]) -> dict[str, object]:
    names = sorted({box.label for each in drawn for box in each.boxes})
    number_of = {name: number for number, name in enumerate(names, 1)}
    images, annotations = list[dict[str, object]](), list[dict[str, object]]()
    for each in drawn:
        images.append(
            {"id": len(images) + 1, "file_name": each.filename, "sample_id": each.sample_id}
            | {"width": each.size[0], "height": each.size[1]}
        )
        for box in each.boxes:
            place = [box.left, box.top, box.width, box.height]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": len(images), "category_id": number_of[box.label]}
                | {"bbox": place, "area": box.width * box.height, "iscrowd": 0}
            )
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    return {"images": images, "annotations": annotations, "categories": categories}
