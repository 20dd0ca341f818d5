"""Whether a video file is as long as its container says: demuxers end a cut file without a word.

Sources: ISO/IEC 14496-12 (MP4 and QuickTime boxes), RFC 8794 (EBML, for Matroska and WebM), and RIFF (AVI).
"""

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["missing_bytes"]

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof"})


def missing_bytes(path: Path) -> int:
    """Return how many bytes a file lacks of what its container promises; 0 where it promises nothing.

    Raises:
        OSError: If it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[4:8] in _BOXES:
            end = _end_of_boxes(file, size)
        elif start[:4] == b"RIFF":
            end = int.from_bytes(start[4:8], "little") + 8
        elif int.from_bytes(start[:4], "big") == _EBML:
            end = _end_of_segment(file)
        else:
            end = 0
    return max(0, end - size)


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    position = 0
    while position < size:
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            return position + 8
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length == 0:  # to the end of the file
            return size
        if length < 8 or not header[4:8].isalnum():  # padding after the last box, not a box
            return size
        position += length
    return position


def _end_of_segment(file: BinaryIO) -> int:
    file.seek(4)
    header = _variable_integer(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if int.from_bytes(file.read(4), "big") != _SEGMENT:
        return 0
    length = _variable_integer(file)
    return 0 if length is None else file.tell() + length


def _variable_integer(file: BinaryIO) -> int | None:
    """Read an EBML length; ``None`` for the length that means unknown (a live recording)."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    rest = file.read(extra)
    value = int.from_bytes(bytes([first[0] & ((1 << (7 - extra)) - 1)]) + rest, "big")
    return None if value == (1 << (7 * (extra + 1))) - 1 else value
