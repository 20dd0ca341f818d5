"""What cannot be read is in quarantine with its reason: never a crash, never silence."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sslcore.data import examine, read_manifest
from sslcore.data.decode import open_image
from sslcore.data.ingest import IngestReport
from sslcore.data.listing import SourceFile
from sslcore.data.media import Limits
from sslcore.data.quarantine import REASONS
from sslcore.errors import UserError

Write = Callable[..., Path]
RunIngest = Callable[..., IngestReport]


def quarantine(dataset: Path) -> dict[str, tuple[str, str]]:
    rows = pq.read_table(dataset / "quarantine.parquet").to_pylist()
    return {row["path"]: (row["reason"], row["detail"]) for row in rows}


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def source(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    """A good image, a good video, and one file for every reason."""
    folder = tmp_path / "source"
    jpeg = write_image(folder / "good.jpg", format="JPEG").read_bytes()
    write_video(folder / "good.mkv", num_frames=5)
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "words.jpg").write_text("this is no image", encoding="utf-8")
    write_image(folder / "tiny.png", width=7, height=90)
    (folder / "bomb.png").write_bytes(bomb(60000, 60000))
    damaged = bytearray(write_image(folder / "damaged.png", width=64, height=64).read_bytes())
    damaged[80:120] = bytes(40)
    (folder / "damaged.png").write_bytes(damaged)
    (folder / "link.jpg").symlink_to(folder / "gone.jpg")
    (folder / "odd.tif").write_bytes(b"II*\0\x08\0\0\0" + struct.pack("<HHHLLL", 1, 256, 4, 1, 5, 0))
    (folder / "words.mp4").write_text("this is no video", encoding="utf-8")
    video = write_video(folder / "cut.mkv", num_frames=40, seed=2)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    return folder


def test_every_bad_file_has_its_reason(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    report = run_ingest(source, tmp_path / "out", frames="every 5")
    found = quarantine(tmp_path / "out")
    assert {path: reason for path, (reason, _) in found.items()} == {
        "bomb.png": "too_large",
        "cut.jpg": "truncated",
        "cut.mkv": "broken_video",
        "damaged.png": "unreadable",
        "empty.png": "zero_bytes",
        "link.jpg": "broken_link",
        "odd.tif": "unsupported_codec",
        "tiny.png": "too_small",
        "words.jpg": "not_an_image",
        "words.mp4": "broken_video",
    }
    assert {reason for reason, _ in found.values()} == set(REASONS) - {"crashed", "timed_out"}
    assert list(found) == sorted(found)
    assert "10 in quarantine (2 broken_video, 1 broken_link" in report.summary
    assert str(tmp_path) not in "".join(detail for _, detail in found.values())


def test_a_broken_video_keeps_the_frames_before_the_break(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest(source, tmp_path / "out", frames="every 5")
    manifest = read_manifest(tmp_path / "out")
    frames = manifest[manifest["video"] == "cut.mkv"]["frame_index"].tolist()
    assert frames == list(range(0, 5 * len(frames), 5))
    assert 0 < len(frames) < 8
    assert set(manifest["filename"]) >= {"good.jpg", "good-0-mkv.png"}


def test_a_broken_video_is_tried_again_and_keeps_its_place(
    source: Path, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest(source, tmp_path / "one")
    run_ingest(source, tmp_path / "two", tmp_path / "one")
    assert read_manifest(tmp_path / "one").equals(read_manifest(tmp_path / "two"))
    assert quarantine(tmp_path / "one") == quarantine(tmp_path / "two")


def test_too_many_bad_files_stop_the_stage_and_the_first_ten_are_named(
    tmp_path: Path, write_image: Write, run_ingest: RunIngest
) -> None:
    for number in range(12):
        write_image(tmp_path / f"source/good{number}.png", number)
        (tmp_path / f"source/bad{number:02d}.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"12 of 24 files in source cannot be used \(50%\)") as caught:
        run_ingest("source", tmp_path / "out", max_bad_fraction=0.49)
    message = str(caught.value)
    assert [f"bad{number:02d}.jpg (zero_bytes)" in message for number in range(12)] == [True] * 10 + [
        False
    ] * 2
    assert message.count("\n") == 0
    assert "and 2 more" in message
    run_ingest("source", tmp_path / "just", max_bad_fraction=0.5)


def test_a_video_with_frames_does_not_count_as_lost(
    tmp_path: Path, write_video: Write, run_ingest: RunIngest
) -> None:
    video = write_video(tmp_path / "source/cut.mkv", num_frames=40)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    report = run_ingest("source", tmp_path / "out", max_bad_fraction=0.0)
    assert report.figures["num_quarantined"] == 1
    assert report.figures["num_frames"] > 0


def test_nothing_readable_is_an_error_whatever_is_allowed(tmp_path: Path, run_ingest: RunIngest) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.jpg").write_text("no image", encoding="utf-8")
    with pytest.raises(UserError, match=r"none of the 1 files in source can be used: a.jpg \(not_an_image\)"):
        run_ingest("source", tmp_path / "out", max_bad_fraction=1.0)


def test_limits_on_frames_put_the_video_into_quarantine(
    tmp_path: Path, write_video: Write, write_image: Write, run_ingest: RunIngest
) -> None:
    write_video(tmp_path / "source/clip.mp4", num_frames=5)  # 64 x 48
    write_image(tmp_path / "source/a.png", width=50, height=50)
    run_ingest("source", tmp_path / "out", min_side=49)
    assert quarantine(tmp_path / "out") == {"clip.mp4": ("too_small", "64 x 48, min_side is 49")}


@pytest.mark.filterwarnings("error")
def test_the_limit_in_megapixels_is_ours_not_pillows(tmp_path: Path) -> None:
    """Pillow warns of more than 89 megapixels and refuses more than 179; a header is enough to see it."""
    (tmp_path / "large.pgm").write_bytes(b"P5 20000 10000 255\n" + bytes(100))
    file = SourceFile("large.pgm", str(tmp_path / "large.pgm"), "image", 0)
    limits = Limits(min_side=8, max_megapixels=199.0)
    finding = examine.examine_file(file, frames="all", limits=limits, spool=tmp_path / "spool")
    assert finding.problem is not None
    assert finding.problem.detail == "200 megapixels, max_megapixels is 199"
    assert open_image((tmp_path / "large.pgm").read_bytes()).size == (20000, 10000)


def test_a_file_far_too_large_is_not_read(tmp_path: Path, run_ingest: RunIngest, write_image: Write) -> None:
    write_image(tmp_path / "source/a.png")
    with (tmp_path / "source/disk.bmp").open("wb") as file:
        file.truncate(50 << 20)  # a hole: takes no space
    run_ingest("source", tmp_path / "out", max_megapixels=1)
    assert quarantine(tmp_path / "out")["disk.bmp"][0] == "too_large"


def test_files_without_permission_are_unreadable(
    tmp_path: Path, write_image: Write, run_ingest: RunIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "source/a.png")
    write_image(tmp_path / "source/locked.png", 1)
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    run_ingest("source", tmp_path / "out")
    assert quarantine(tmp_path / "out") == {"locked.png": ("unreadable", "Permission denied")}
