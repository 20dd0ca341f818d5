"""What counts as an image or a video, by file extension, and the limits an image must keep to."""

import posixpath
from dataclasses import dataclass
from typing import Literal

__all__ = ["IMAGE_EXTENSIONS", "VIDEO_EXTENSIONS", "Limits", "MediaKind", "accepted_extensions", "media_kind"]

MediaKind = Literal["image", "video"]

IMAGE_EXTENSIONS = ("avif", "bmp", "gif", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp")
VIDEO_EXTENSIONS = ("avi", "hevc", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "webm")

_KINDS: dict[str, MediaKind] = {
    **{f".{extension}": "image" for extension in IMAGE_EXTENSIONS},
    **{f".{extension}": "video" for extension in VIDEO_EXTENSIONS},
}
_BYTES_PER_PIXEL = 16  # four float32 channels, uncompressed: no image file needs more
_HEADER_BYTES = 1 << 20


def media_kind(name: str) -> MediaKind | None:
    """Return what a file is by its extension, in any case; ``None`` if it is neither image nor video."""
    stem, _, extension = name.rpartition(".")
    kind = _KINDS.get(f".{extension.lower()}")
    if kind is None or (stem and stem[-1] not in "./"):
        return kind
    return _KINDS.get(posixpath.splitext(name)[1].lower())  # dots that begin a name begin no extension


def accepted_extensions() -> str:
    """Return the extensions in words, for messages."""
    return f"images: {' '.join(IMAGE_EXTENSIONS)}; videos: {' '.join(VIDEO_EXTENSIONS)}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image or a frame must keep to.

    Attributes:
        min_side: Pixels the shorter side must have.
        max_megapixels: Million pixels it may have.
    """

    min_side: int
    max_megapixels: float

    @property
    def max_bytes(self) -> int:
        """Bytes an image file may have: nothing larger is read into memory."""
        return int(self.max_megapixels * 1e6 * _BYTES_PER_PIXEL) + _HEADER_BYTES

    def violated(self, width: int, height: int) -> tuple[Literal["too_small", "too_large"], str] | None:
        """Return the quarantine reason and its detail for a size in pixels, or ``None`` if it is fine."""
        if min(width, height) < self.min_side:
            return "too_small", f"{width} x {height}, min_side is {self.min_side}"
        if width * height > self.max_megapixels * 1e6:
            megapixels = width * height / 1e6
            return "too_large", f"{megapixels:.4g} megapixels, max_megapixels is {self.max_megapixels:g}"
        return None
