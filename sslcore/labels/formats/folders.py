"""Class folders: an image lies in the folder of its class. People move files; where they lie is the label.

A file that nobody moved lies where the suggestion put it and comes back as a label, whether somebody looked
at it or not.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sslcore.data.media import media_kind
from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, HandOver
from sslcore.labels.formats.documents import class_name

__all__ = ["UNLABELLED", "folder_of", "read", "write"]

UNLABELLED = "_unlabelled"
SEPARATOR = "__"
EXPORTED = re.compile(f"([0-9a-f]{{20}}){SEPARATOR}(.+)")


def folder_of(task: HandOver) -> str:
    """Return the folder a sample is put into: of its suggested class, or of none."""
    suggestion = task.suggestion
    return suggestion.label if suggestion and suggestion.label else UNLABELLED


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Make a folder for each class and one for what has none; the images are put there by the export.

    Raises:
        UserError: If a class cannot be a folder's name.
    """
    for name in classes:
        if "/" in name or name in ("", ".", "..", UNLABELLED):
            raise UserError(f"class '{name}' cannot be a folder; use another format")
        (folder / name).mkdir(exist_ok=True)
    (folder / UNLABELLED).mkdir(exist_ok=True)


def read(path: Path) -> Iterator[Annotation]:
    """Yield an annotation per image, its label the folder it lies in.

    The export names a file ``SAMPLE_ID__NAME``, so that it is known wherever it is moved to; any other file
    is known by its path below the class's folder. What lies in the folder of none has no label yet.

    Raises:
        UserError: If it is no folder, or the name of one is blank.
    """
    if not path.is_dir():
        raise UserError(f"{path} is no folder of class folders")
    for file in sorted(path.rglob("*")):
        if file.is_file() and media_kind(file.name) == "image" and file.parent != path:
            label = file.relative_to(path).parts[0]
            exported = EXPORTED.fullmatch(file.name)
            yield Annotation(
                place=str(file),
                sample_id=exported[1] if exported else "",
                filename=exported[2] if exported else file.relative_to(path / label).as_posix(),
                label=None if label == UNLABELLED else class_name(label, str(file.parent)),
            )
