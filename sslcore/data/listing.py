"""Which files a source has: a folder, one video, or a text file of paths. Nothing is opened here."""

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sslcore.data.media import accepted_extensions, media_kind
from sslcore.data.quarantine import Problem
from sslcore.data.source_file import SourceFile
from sslcore.data.source_files import SourceFiles, SourceFilesBuilder
from sslcore.errors import UserError

__all__ = ["Listing", "SourceFile", "list_source"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source has.

    Attributes:
        files: Images and videos, sorted by name.
        problems: What is there by name but no file that can be read.
        num_ignored: Files that are neither image nor video, or hidden.
        root: The folder that names are relative to; labels.csv is looked for here.
    """

    files: SourceFiles
    problems: list[Problem]
    num_ignored: int
    root: Path


def list_source(source: str, root: Path) -> Listing:
    """List a folder, a video, or a text file of paths.

    Args:
        source: As configured.
        root: What a relative source is relative to.

    Raises:
        UserError: If it does not exist, or is none of these.
    """
    try:
        path = root / Path(source).expanduser()
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, RuntimeError) as error:  # no such home, too long a name, a folder that is locked
        why = getattr(error, "strerror", None) or error
        raise UserError(f"ingest.source '{source}' cannot be looked at: {why}") from None
    if is_folder:
        return _Walk(path).listing()
    if not is_there:
        raise UserError(
            f"ingest.source '{source}' does not exist (looked for {path}); give a folder, a video, "
            "a .txt list of paths, or torchvision:NAME"
        )
    if path.suffix.lower() == ".txt":
        return _read_list(path)
    if media_kind(path.name) == "video":
        found = _Found()
        found.add(str(path), path.name)
        return found.listing(path.parent)
    raise UserError(
        f"ingest.source '{source}' is a file ({path}), but neither a video nor a .txt list of paths; "
        f"give the folder it is in ({accepted_extensions()})"
    )


class _Found:
    def __init__(self) -> None:
        self.files = SourceFilesBuilder()
        self.problems: list[Problem] = []
        self.num_ignored = 0

    def add(
        self, path: str, name: str, *, listed: bool = False, entry: os.DirEntry[str] | None = None
    ) -> None:
        """Sort a path that is no folder into files, problems and ignored ones."""
        name, kind = _printable(name), media_kind(name)
        try:
            status = os.stat(path) if entry is None else entry.stat()
        except OSError as error:
            may_be_folder = not os.path.splitext(path)[1]  # a link without extension
            if listed or kind is not None or may_be_folder:
                self.problems.append(_problem(name, error))
            else:
                self.num_ignored += 1
            return
        if kind is None:
            self.num_ignored += 1
        elif not stat.S_ISREG(status.st_mode):
            self.problems.append(Problem(name, "unreadable", "is a folder or a device, not a file"))
        else:
            self.files.add(name, path, is_video=kind == "video", status=status)

    def listing(self, root: Path) -> Listing:
        return Listing(self.files.files().sorted(), sorted(self.problems), self.num_ignored, root)


class _Walk:
    """All files below a folder, at any depth, whatever the order in which the file system gives them.

    A folder is entered once: through its own path if that is below the source, else through the link to it
    that is nearest and first by name. So links to folders may form loops. Names that start with a dot are
    ignored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found = _Found()
        self._seen: set[tuple[int, int]] = set()
        self._links: list[tuple[int, str, Path]] = []

    def listing(self) -> Listing:
        self._enter(self._root, "")
        while self._links:
            self._links.sort(key=lambda link: link[:2])
            _, name, path = self._links.pop(0)
            self._enter(path, name)
        return self._found.listing(self._root)

    def _enter(self, folder: Path, name: str) -> None:
        pending = [(folder, name)]
        while pending:
            path, prefix = pending.pop()
            for entry in self._entries(path, prefix):
                inside = f"{prefix}/{entry.name}" if prefix else entry.name
                if entry.name.startswith("."):
                    self._found.num_ignored += 1
                elif not _is_folder(entry):
                    self._found.add(entry.path, inside, entry=entry)
                elif entry.is_symlink():
                    self._links.append((inside.count("/"), inside, Path(entry.path)))
                else:
                    pending.append((Path(entry.path), inside))

    def _entries(self, path: Path, name: str) -> Iterator[os.DirEntry[str]]:
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in self._seen:
                return
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                yield from entries
        except OSError as error:
            self._found.problems.append(_problem(_printable(name or "."), error))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link to itself or into a locked folder is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read_list(path: Path) -> Listing:
    found = _Found()
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"ingest.source {path} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise UserError(f"ingest.source {path} is no UTF-8 text (perhaps UTF-16): save it as UTF-8")
    # Not splitlines: names may hold other separators of lines than these.
    lines = (line.strip(" \t\r") for line in text.split("\n"))
    names = sorted({_relative(line, path.parent) for line in lines if line and not line.startswith("#")})
    for name in names:
        found.add(str(path.parent / name), name, listed=True)
    return found.listing(path.parent)


def _relative(line: str, folder: Path) -> str:
    """Return a listed path relative to the list's folder, so that no name depends on where that is."""
    if not os.path.isabs(line):
        return posixpath.normpath(Path(line).as_posix())
    try:
        return Path(os.path.relpath(line, folder.absolute())).as_posix()
    except ValueError:  # another drive on Windows
        return Path(line).as_posix()


def _problem(name: str, error: OSError) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem(name, "broken_link", "there is no such file")
    return Problem(name, "unreadable", error.strerror or type(error).__name__)


def _printable(name: str) -> str:
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")
