"""The sample's files that cannot be read: one of each kind that real folders are full of."""

from pathlib import Path

from sslcore.data.sample.image import encode
from sslcore.data.sample.plan import generator_for
from sslcore.data.sample.scene import draw_scene

__all__ = ["BROKEN_FILES", "write_broken"]

BROKEN_FILES = {
    "incoming/upload-0001.jpg": "zero_bytes",
    "incoming/upload-0002.jpg": "truncated",
    "incoming/upload-0003.png": "not_an_image",
    "incoming/upload-0004.png": "too_small",
    "incoming/upload-0005.mp4": "broken_video",
}
"""The reason why ingest cannot take a file, by its name."""

ERROR_PAGE = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<p>The picture is no longer here.</p>\n"


def write_broken(directory: Path, *, seed: int, video: bytes) -> None:
    """Write the files that ``BROKEN_FILES`` names.

    Args:
        directory: Root of the sample.
        seed: Of the sample.
        video: A whole mp4 whose index stands at its end, so that its first half cannot be opened.
    """
    pixels = draw_scene("circle", generator=generator_for(seed, "broken"), width=96, height=96)
    whole = encode(pixels, ending="jpg", quality=90)
    contents = {
        "zero_bytes": b"",
        "truncated": whole[: len(whole) // 2],
        "not_an_image": ERROR_PAGE.encode("ascii"),
        "too_small": encode(pixels[:3, :3], ending="png", quality=90),
        "broken_video": video[: len(video) // 2],
    }
    for name, reason in BROKEN_FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[reason])
