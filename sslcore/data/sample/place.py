"""Where a sample lands: what a folder may hold before, and how the sample gets there whole or not at all."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sslcore.errors import UserError

__all__ = ["MARKER", "holds_sample", "write_whole"]

MARKER = "sample.json"
"""The file that says how a sample was drawn. It is the last to arrive."""

PARTIAL = ".sample.partial"


def holds_sample(directory: Path, *, marker: Mapping[str, object], names: Iterable[str]) -> bool:
    """Say whether a folder holds this very sample already; files added to it since do not matter.

    Args:
        directory: The folder; need not exist.
        marker: What its marker must say.
        names: The sample's files, which must all be there.

    Returns:
        False if there is nothing in it.

    Raises:
        UserError: If it holds anything else.
    """
    if directory.is_symlink() and not directory.exists():
        raise UserError(f"{directory} is a link to nothing; choose another folder")
    if not directory.exists():
        return False
    if not directory.is_dir():
        raise UserError(f"{directory} is not a folder; choose another one for the sample")
    if all(entry.name == PARTIAL for entry in directory.iterdir()):
        return False
    found = _read_marker(directory / MARKER)
    if found is None:
        raise UserError(f"{directory} is not empty and holds no sample; choose an empty or a new folder")
    if found != marker:
        raise UserError(f"{directory} holds a sample drawn otherwise (see {MARKER}); choose another folder")
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise UserError(
            f"{directory} misses {len(missing)} files of its sample ({missing[0]}); remove it first"
        )
    return True


def write_whole(directory: Path, *, marker: Mapping[str, object], write: Callable[[Path], None]) -> None:
    """Let files be written elsewhere and bring them into place together.

    A folder that is new is written beside and renamed. One that exists (it may be a mount, or the one
    somebody stands in) stays, and the files are written into a folder in it and moved up.

    Args:
        directory: The final folder, not there or empty.
        marker: What to write into the marker.
        write: Is called with the folder to write into. If it raises, everything it wrote is removed.

    Raises:
        OSError: If the folder cannot be written.
    """
    target = directory.resolve()
    partial = target / PARTIAL if target.exists() else target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write(partial)
        (partial / MARKER).write_bytes((json.dumps(marker, indent=2) + "\n").encode("ascii"))
        if target.exists():
            _move_up(partial, target)
        else:
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read_marker(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _move_up(partial: Path, target: Path) -> None:
    """Move everything one folder up, the marker last; if it fails, move all of it back."""
    names = sorted((entry.name for entry in partial.iterdir()), key=lambda name: (name == MARKER, name))
    try:
        for name in names:
            (partial / name).rename(target / name)
    except BaseException:
        for name in names:
            if (target / name).exists():
                (target / name).rename(partial / name)
        raise
