"""Checkpoints on disk: whole or not there, verified when read, the last few and the best kept."""

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import IO, Any

import torch

__all__ = ["CheckpointFiles"]

log = logging.getLogger(__name__)

_NAME = re.compile(r"(step|best)-(\d{9})-([0-9a-f]{20})\.pt")


class CheckpointFiles:
    """The checkpoints of one run, in a folder of their own.

    A file is called ``step-000001200-HASH.pt``, HASH being the beginning of the sha256 of what is in it. It
    is written beside, synced to the disk and then renamed, so that a name that is there stands for a whole
    file. The one of the best backbone so far is there as ``best-...`` too (a hard link where the disk has
    them).

    Args:
        folder: Made when the first one is written.
        keep: How many of the last ones stay.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, state: dict[str, Any], step: int, *, best: bool = False) -> Path:
        """Write a checkpoint and remove what is no longer kept.

        Args:
            state: Tensors, numbers, strings, and lists, tuples and dicts of them.
            step: Optimizer steps done.
            best: Whether it is the best so far.

        Raises:
            OSError: If the disk is full or cannot be written; earlier checkpoints are as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".partial-{os.getpid()}"
        try:
            with partial.open("wb") as file:
                hashing = _Hashing(file)
                torch.save(state, hashing)  # type: ignore[arg-type]  # a file that can only write
                file.flush()
                os.fsync(file.fileno())
            path = self.folder / f"step-{step:09}-{hashing.digest()}.pt"
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        if best:
            self._mark_best(path)
        _sync_folder(self.folder)
        self._prune(path)
        return path

    def load(self) -> tuple[dict[str, Any], int] | None:
        """Return the newest whole checkpoint and its step, or None if there is none.

        A damaged one is said in one line, removed, and the one before it taken.
        """
        for path in self._newest_first():
            state = _read(path)
            if state is not None:
                return state, _step(path)
            log.warning("checkpoint %s is damaged: going back to the one before it", path)
            path.unlink()
        return None

    def _newest_first(self) -> list[Path]:
        found = [path for path in self.folder.glob("*.pt") if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: (_step(path), path.name.startswith("step")), reverse=True)

    def _mark_best(self, path: Path) -> None:
        best = path.with_name(path.name.replace("step-", "best-"))
        best.unlink(missing_ok=True)
        try:
            os.link(path, best)
        except OSError:  # a disk without hard links
            partial = self.folder / f".partial-{os.getpid()}"
            partial.write_bytes(path.read_bytes())
            partial.replace(best)
        for other in self.folder.glob("best-*.pt"):
            if other != best:
                other.unlink()

    def _prune(self, newest: Path) -> None:
        steps = [path for path in self._newest_first() if path.name.startswith("step") and path != newest]
        for path in steps[self.keep - 1 :]:
            path.unlink()
        for partial in self.folder.glob(".partial-*"):  # of a run that was killed
            partial.unlink()


def _step(path: Path) -> int:
    return int(path.name.split("-")[1])


def _read(path: Path) -> dict[str, Any] | None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not path.name.endswith(f"-{digest[:20]}.pt"):
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Hashing:
    """A file that is hashed while it is written; torch.save only ever appends."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> str:
        return self._hash.hexdigest()[:20]
