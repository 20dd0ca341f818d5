"""Whole outputs or none: a step writes beside, and what it wrote is renamed into place when it is done."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

__all__ = ["bring_back", "locked_hash", "replacing"]


@contextmanager
def replacing(places: Mapping[str, Path]) -> Iterator[Path]:
    """Give a step an empty folder, and move what it wrote to its places if it returns.

    A place holds either what it held before or all that is new; if the step raises, nothing changes.

    Args:
        places: Name in the folder -> final place; the name "." stands for the folder itself.
    """
    for place in places.values():
        _tidy(place)
    first = next(iter(places.values()))
    folder = _beside(first, "partial")
    added = [parent for parent in folder.parents if not parent.exists()]
    folder.mkdir(parents=True)
    try:
        yield folder
        for name, place in places.items():
            _put(folder / name, place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in added:
            with suppress(OSError):  # the result is in it
                parent.rmdir()


def _beside(place: Path, kind: str) -> Path:
    return place.with_name(f".{place.name}.{kind}")


def _tidy(place: Path) -> None:
    """Clear what a killed run left: its partial folder goes; a place it had just emptied is filled again."""
    shutil.rmtree(_beside(place, "partial"), ignore_errors=True)
    former = _beside(place, "former")
    if former.exists():
        if place.exists():
            _remove(former)
        else:
            former.rename(place)


def _put(made: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        made = made.rename(_beside(place, "made"))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _remove(_beside(place, "made"))
        target = _beside(place, "made")
        made = shutil.copytree(made, target) if made.is_dir() else Path(shutil.copy2(made, target))
    former = _beside(place, "former")
    if place.exists():
        place.rename(former)
    made.rename(place)
    _remove(former)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def bring_back(root: Path, place: str) -> bool:
    """Put back an output that DVC deleted before a stage that then failed.

    DVC removes a stage's outputs before it starts the stage. They are in DVC's cache under the hash that
    dvc.lock names (the layout files/md5/AB/CDEF... is documented), so they come back without DVC, whose own
    commands are locked while a stage runs.

    Returns:
        True if the output is there now, False if it could not be brought back (``dvc checkout`` may).
    """
    target = root / place
    if target.exists():
        return True
    digest = locked_hash(root, place)
    if digest is None:
        return False
    cache = root / ".dvc" / "cache" / "files" / "md5"
    source = cache / digest[:2] / digest[2:]
    if not source.is_file():
        return False
    made = _beside(target, f"back-{os.getpid()}")
    if digest.endswith(".dir"):
        entries = json.loads(source.read_text(encoding="utf-8"))
        for entry in entries:
            part = cache / entry["md5"][:2] / entry["md5"][2:]
            if not part.is_file():
                _remove(made)
                return False
            _copy(part, made / entry["relpath"])
    else:
        _copy(source, made)
    try:
        os.replace(made, target)
    except OSError:  # another run has just put its own there
        _remove(made)
    return True


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def locked_hash(root: Path, place: str) -> str | None:
    """Return the hash that dvc.lock records for an output, or None."""
    try:
        lock = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    for stage in (lock.get("stages") or {}).values():
        for out in stage.get("outs", ()):
            if out.get("path") == place:
                digest = out.get("md5")
                return str(digest) if digest else None
    return None
