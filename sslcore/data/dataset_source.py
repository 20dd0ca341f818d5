"""Ingest any torch Dataset that yields images, for those who have one and want the rest of the library."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sslcore.config import IngestConfig
from sslcore.data.ingest import IngestReport, ingest
from sslcore.data.items import ItemSet
from sslcore.errors import UserError
from sslcore.monitor import SILENT, Monitor

__all__ = ["ingest_dataset"]


def ingest_dataset(
    dataset: Any,
    *,
    output: Path | str,
    name: str = "dataset",
    filenames: Sequence[str] | None = None,
    previous: Path | str | None = None,
    monitor: Monitor = SILENT,
    **settings: Any,
) -> IngestReport:
    """Read the items of a Dataset into a dataset folder, as the ingest stage does with files.

    The Dataset is only read: its transforms and everything else stay as they are. Its images should come
    without augmentation, since each is read once. Targets that are whole numbers or text become labels, by
    name where the Dataset has ``classes``.

    Args:
        dataset: With ``len()`` and ``[index]``, or an IterableDataset. Items are images, tuples that begin
            with one (then a target), or dicts with ``image`` (and ``label``); images are PIL images, tensors
            [C, H, W] or arrays [H, W, C], of 8 bits or floats from 0 to 1.
        output: A folder that is not there yet, or empty.
        name: With which names begin, ``NAME-0000042.png``.
        filenames: Names of the items, if they have better ones; each once.
        previous: A dataset folder that was written before; images that it has are not stored again.
        monitor: Told of the items that are done.
        settings: Of `IngestConfig`, such as ``val_fraction=0.2``.

    Raises:
        UserError: If the output is not empty, an item has no image, or too many cannot be read.
        ValueError: If ``filenames`` has a name twice, or not one for each item.
    """
    output = Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} is there and not empty; name another folder")
    length = len(dataset) if hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__") else None
    if filenames is not None and (
        len(set(filenames)) != len(filenames) or length not in (None, len(filenames))
    ):
        raise ValueError(
            f"filenames must name each of the {length} items once, got {len(set(filenames))} names"
        )
    config = IngestConfig(source=f"dataset:{name}", **settings)
    items = ItemSet(dataset, name=name, where=f"dataset {name}", length=length, filenames=filenames)
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        before = None if previous is None else Path(previous)
        report = ingest(config, output=partial, previous=before, monitor=monitor, items=items)
        if output.exists():
            output.rmdir()
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return report
