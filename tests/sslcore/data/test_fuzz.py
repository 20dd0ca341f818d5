"""Bytes flipped, cut and doubled at fixed seeds: a finding every time, never another error."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from sslcore.data.examine import examine_file
from sslcore.data.listing import SourceFile
from sslcore.data.media import Limits
from sslcore.data.quarantine import REASONS

Write = Callable[..., Path]
LIMITS = Limits(min_side=1, max_megapixels=1.0)
IMAGES = ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "AVIF"]


def damaged(data: bytes, seed: int) -> bytes:
    """Damage a file in one of five ways."""
    rng = np.random.default_rng(seed)
    found = bytearray(data)
    place = int(rng.integers(len(found)))
    way = seed % 5
    if way == 0:  # single bytes, anywhere
        for at in rng.integers(0, len(found), 8).tolist():
            found[at] ^= int(rng.integers(1, 256))
    elif way == 1:  # the header
        for at in rng.integers(0, min(64, len(found)), 3).tolist():
            found[at] = int(rng.integers(256))
    elif way == 2:
        del found[place:]
    elif way == 3:  # a piece is missing
        del found[place : place + int(rng.integers(1, 200))]
    else:  # a piece comes twice
        found[place:place] = found[place : place + int(rng.integers(1, 200))]
    return bytes(found)


def examined(path: Path, kind: str, frames: str = "all") -> str:
    """Return what became of a file: image, video or a reason."""
    file = SourceFile(path.name, str(path), kind, path.stat().st_size)  # type: ignore[arg-type]
    finding = examine_file(file, frames=frames, limits=LIMITS, spool=path.with_name("spool"))
    if finding.problem is not None:
        assert finding.problem.reason in REASONS
        assert "\n" not in finding.problem.detail
    return finding.kind if finding.problem is None else finding.problem.reason


@pytest.mark.parametrize("format", IMAGES)
def test_damaged_images_are_found_or_decode(
    format: str, tmp_path: Path, picture: Callable[..., np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]
) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    buffer = io.BytesIO()
    Image.fromarray(picture(1, 40, 30)).save(buffer, format)
    path = tmp_path / "file"
    path.write_bytes(buffer.getvalue())
    assert examined(path, "image") == "image"
    found = set()
    for seed in range(40):
        path.write_bytes(damaged(buffer.getvalue(), seed))
        found.add(examined(path, "image"))
    assert len(found) >= 2  # some are found to be damaged; in some formats a changed pixel is a fine one


@pytest.mark.parametrize("frames", ["every 4", "keyframes", "scenes"])
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "mpeg4"), ("mkv", "libx264"), ("avi", "mpeg4"), ("mpg", "mpeg1video")]
)
def test_damaged_videos_are_found_or_decode(
    suffix: str, codec: str, frames: str, tmp_path: Path, write_video: Write
) -> None:
    path = write_video(tmp_path / f"clip.{suffix}", num_frames=12, codec=codec)
    data = path.read_bytes()
    assert examined(path, "video", frames) == "video"
    found = set()
    for seed in range(10):
        path.write_bytes(damaged(data, seed))
        found.add(examined(path, "video", frames))
    assert "broken_video" in found
