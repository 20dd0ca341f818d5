"""Samples out to a labelling tool: what was selected, with its images, and what a model suggests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sslcore.choices import check_choice
from sslcore.data import SampleDataset, read_dataset_info
from sslcore.data.encoding import ORIGINAL, StoreFormat
from sslcore.errors import UserError
from sslcore.labels.exchange import HandOver, Suggestion
from sslcore.labels.formats import FORMATS, writer_of
from sslcore.labels.formats.folders import SEPARATOR, folder_of

__all__ = ["HandOverReport", "hand_over"]

IMAGE_FOLDERS = {"fiftyone": "data", "folders": ""}


@dataclass(frozen=True)
class HandOverReport:
    """What was handed over.

    Attributes:
        num_samples: Samples.
        num_suggested: Of them with a suggestion.
        num_gone: Samples of the selection that are no longer in the data set; they are left out.
    """

    num_samples: int
    num_suggested: int
    num_gone: int


def hand_over(
    *,
    dataset: Path,
    selection: Path,
    output: Path,
    tool: str,
    classes: Sequence[str] = (),
    suggestions: Mapping[str, Suggestion] | None = None,
    image_root: str = "",
    images: bool = True,
) -> HandOverReport:
    """Write what a labelling tool reads into ``output``.

    Args:
        dataset: The data set's folder.
        selection: The folder with selection.parquet.
        output: An empty folder.
        tool: One of FORMATS.
        classes: Known classes; those of the suggestions are added.
        suggestions: By sample_id.
        image_root: Put before each file name, for example ``/data/local-files/?d=pool/`` for Label Studio.
        images: Whether the images are written too (into ``images/`` or where the layout wants them), as they
            are stored. Sizes and boxes are then those of the stored images, which may be smaller.

    Raises:
        UserError: If the tool is unknown, there is no selection, or the format cannot hold the samples.
    """
    check_choice(tool, FORMATS, name="format")
    samples = SampleDataset(dataset)
    store = StoreFormat.from_description(read_dataset_info(dataset).store) if images else ORIGINAL
    tasks, num_gone = _tasks(samples.manifest, selection, suggestions or {}, store)
    suggested = {
        name
        for task in tasks
        if task.suggestion is not None
        for name in (task.suggestion.label, *(box.label for box in task.suggestion.boxes))
        if name is not None
    }
    known = sorted({*classes, *suggested})
    writer_of(tool)(tasks, output, classes=known, image_root=image_root)
    if images:
        _write_images(samples, tasks, output, tool)
    return HandOverReport(len(tasks), sum(task.suggestion is not None for task in tasks), num_gone)


def _tasks(
    manifest: pd.DataFrame, selection: Path, suggestions: Mapping[str, Suggestion], store: StoreFormat
) -> tuple[list[HandOver], int]:
    file = selection / "selection.parquet"
    if not file.is_file():
        raise UserError(f"{file} is not there: run 'sslflow select' first")
    picked = pd.read_parquet(file).sort_values("rank")
    row_of = {row["sample_id"]: row for row in manifest.to_dict("records")}
    tasks = list[HandOver]()
    for pick in picked.to_dict("records"):
        row = row_of.get(pick["sample_id"])
        if row is None:
            continue
        width, height = store.size(int(row["width"]), int(row["height"]))
        said = suggestions.get(pick["sample_id"])
        if said is not None:
            boxes = tuple(box.scaled(width / row["width"], height / row["height"]) for box in said.boxes)
            said = replace(said, boxes=boxes)
        tasks.append(
            HandOver(
                sample_id=pick["sample_id"],
                filename=row["filename"],
                width=width,
                height=height,
                rank=int(pick["rank"]),
                round=int(pick["round"]),
                reason=str(pick["reason"]),
                suggestion=said,
            )
        )
    return tasks, len(picked) - len(tasks)


def _write_images(samples: SampleDataset, tasks: Sequence[HandOver], output: Path, tool: str) -> None:
    """Write each image's bytes as they are stored, under its name."""
    index_of = {sample_id: index for index, sample_id in enumerate(samples.manifest["sample_id"])}
    root = output / IMAGE_FOLDERS.get(tool, "images")
    for task in tasks:
        name = f"{folder_of(task)}/{_flat(task)}" if tool == "folders" else task.filename
        place = (root / name).resolve()
        if not place.is_relative_to(output.resolve()):
            raise UserError(f"{task.filename} would be written outside of {output}; rename it in the source")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(samples.encoded(index_of[task.sample_id]))


def _flat(task: HandOver) -> str:
    return f"{task.sample_id}{SEPARATOR}{task.filename.replace('/', '_')}"
