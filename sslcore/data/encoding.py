"""In which form samples are stored: as they were, or quicker to read. Needs Pillow and numpy only."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from sslcore.choices import check_choice

__all__ = ["ORIGINAL", "StoreFormat"]

Format = Literal["original", "jpeg", "uint8"]
_PNG_LEVEL = 1  # of 9: encoding frames takes longer than decoding them, and the levels differ little in size


@dataclass(frozen=True, slots=True)
class StoreFormat:
    """How a sample's bytes are stored.

    Attributes:
        format: ``original``: an image file byte for byte, a frame as PNG. ``jpeg``: encoded again, except
            JPEG files that are no larger. ``uint8``: raw RGB pixels, channels first [3, H, W].
        short_side: Pixels that ``jpeg`` and ``uint8`` shrink the shorter side to (antialiased bilinear);
            smaller images stay as they are.
        quality: Of ``jpeg``, 1 to 100, with chroma at half the resolution.
    """

    format: Format = "original"
    short_side: int = 256
    quality: int = 90

    def described(self) -> dict[str, Any]:
        """Return the settings that matter for the format, as dataset.json has them."""
        settings: dict[str, Any] = {"format": self.format}
        if self.format != "original":
            settings["short_side"] = self.short_side
        if self.format == "jpeg":
            settings["quality"] = self.quality
        return settings

    @classmethod
    def from_description(cls, settings: Mapping[str, Any]) -> "StoreFormat":
        """Return the format that dataset.json describes.

        Raises:
            ConfigError: If there is no such format.
        """
        check_choice(str(settings.get("format")), get_args(Format), name="store format")
        return cls(**settings)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the stored width and height of an upright image of this width and height."""
        short = min(width, height)
        if self.format == "original" or short <= self.short_side:
            return width, height
        long = int(self.short_side * max(width, height) / short)
        return (self.short_side, long) if width <= height else (long, self.short_side)

    def encode(self, image: Image.Image, data: bytes | None = None) -> bytes:
        """Return the bytes to store.

        Args:
            image: Upright, RGB.
            data: The image file it was decoded from; ``None`` for a frame.
        """
        if self.format == "original":
            return _encoded(image, "PNG", compress_level=_PNG_LEVEL) if data is None else data
        size = self.size(*image.size)
        if self.format == "jpeg" and data is not None and size == image.size and data[:3] == b"\xff\xd8\xff":
            return data
        if size != image.size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        if self.format == "jpeg":
            return _encoded(image, "JPEG", quality=self.quality, subsampling="4:2:0")
        return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1).tobytes()


ORIGINAL = StoreFormat()


def _encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
