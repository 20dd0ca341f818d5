"""How many bytes a cut video lacks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sslcore.data.containers import missing_bytes


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".mov"])
def test_cut_files_lack_what_was_cut(suffix: str, tmp_path: Path, write_video: Callable[..., Path]) -> None:
    path = write_video(
        tmp_path / f"clip{suffix}", options={"movflags": "faststart"} if suffix == ".mp4" else None
    )
    whole = path.read_bytes()
    assert missing_bytes(path) == 0
    for cut in (1, 100, 3000):
        if suffix == ".mov" and cut >= 100:  # the index is last: the cut lies in it, or takes it away
            continue
        path.write_bytes(whole[:-cut])
        assert missing_bytes(path) == cut


def test_a_live_matroska_recording_promises_nothing(tmp_path: Path) -> None:
    unknown_length = bytes.fromhex("1a45dfa3 84 42868101 18538067 01ffffffffffffff 1f43b675")
    (tmp_path / "live.mkv").write_bytes(unknown_length)
    assert missing_bytes(tmp_path / "live.mkv") == 0


def test_64_bit_boxes_and_boxes_to_the_end_are_understood(tmp_path: Path) -> None:
    ftyp = (8).to_bytes(4, "big") + b"ftyp"
    large = (1).to_bytes(4, "big") + b"mdat" + (100).to_bytes(8, "big") + bytes(10)
    to_the_end = bytes(4) + b"mdat" + bytes(50)
    (tmp_path / "large.mp4").write_bytes(ftyp + large)
    (tmp_path / "open.mp4").write_bytes(ftyp + to_the_end)
    assert missing_bytes(tmp_path / "large.mp4") == 100 - 26
    assert missing_bytes(tmp_path / "open.mp4") == 0


def test_other_files_promise_nothing(tmp_path: Path) -> None:
    (tmp_path / "clip.mpg").write_bytes(b"\0\0\1\xba" + bytes(50))
    (tmp_path / "short.mp4").write_bytes(b"ab")
    assert missing_bytes(tmp_path / "clip.mpg") == missing_bytes(tmp_path / "short.mp4") == 0
