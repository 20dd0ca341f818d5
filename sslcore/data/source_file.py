"""One file of a source. Imports neither torch nor pyarrow: the processes that read files have neither."""

from dataclasses import dataclass

from sslcore.data.media import MediaKind

__all__ = ["SourceFile"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that may hold samples.

    Attributes:
        name: Relative to the source, with ``/``; bytes that are no UTF-8 are written as hex escapes.
        path: Where it is.
        kind: By its extension.
        num_bytes: Its size.
        version: Of a remote file, what changes when it does.
    """

    name: str
    path: str
    kind: MediaKind
    num_bytes: int
    version: str = ""
