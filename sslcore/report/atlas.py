"""Thumbnails of many samples on a few sheets, so that a page of thousands loads a handful of images."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from sslcore.data import SampleDataset
from sslcore.data.decode import decode_image
from sslcore.monitor import Monitor

__all__ = ["Atlas", "make_atlas"]

MOST_PIXELS = 4096
"""Side of a sheet at most; browsers on phones refuse much larger images."""
BACKGROUND = (128, 128, 128)
QUALITY = 82


@dataclass(frozen=True)
class Atlas:
    """Sheets of square tiles, filled row by row; tile ``t`` is on sheet ``t // tiles_per_sheet``."""

    tile_size: int
    columns: int
    tiles_per_sheet: int
    sheets: tuple[Image.Image, ...]

    def box(self, tile: int) -> tuple[int, int, int, int, int]:
        """Return the sheet, and left, top, right and bottom on it, of a tile."""
        sheet, place = divmod(tile, self.tiles_per_sheet)
        top, left = (each * self.tile_size for each in divmod(place, self.columns))
        return sheet, left, top, left + self.tile_size, top + self.tile_size

    def as_json(self) -> dict[str, object]:
        """Return what the page needs, the sheets as data URIs."""
        return {
            "tileSize": self.tile_size,
            "columns": self.columns,
            "tilesPerSheet": self.tiles_per_sheet,
            "sheets": [{"uri": _data_uri(sheet), "width": sheet.width} for sheet in self.sheets],
        }


def make_atlas(samples: SampleDataset, indices: Sequence[int], *, tile_size: int, monitor: Monitor) -> Atlas:
    """Draw the thumbnails of ``indices``, in their order.

    Args:
        samples: Where the images are.
        indices: Rows of ``samples.manifest``.
        tile_size: Side of a tile in pixels; an image keeps its shape and is centred on grey.
        monitor: Told of each thumbnail.
    """
    most = max(1, MOST_PIXELS // tile_size)
    columns = min(most, max(1, math.ceil(math.sqrt(len(indices)))))
    per_sheet = columns * most
    sheets = []
    for start in range(0, len(indices), per_sheet):
        part = indices[start : start + per_sheet]
        rows = math.ceil(len(part) / columns)
        sheet = Image.new("RGB", (columns * tile_size, rows * tile_size), BACKGROUND)
        for place, index in enumerate(part):
            row, column = divmod(place, columns)
            image = decode_image(samples.encoded(index))
            thumbnail = ImageOps.contain(image, (tile_size, tile_size), Image.Resampling.LANCZOS)
            left = column * tile_size + (tile_size - thumbnail.width) // 2
            top = row * tile_size + (tile_size - thumbnail.height) // 2
            sheet.paste(thumbnail, (left, top))
            monitor.progress(start + place + 1, len(indices), "thumbnails")
        sheets.append(sheet)
    return Atlas(tile_size, columns, per_sheet, tuple(sheets))


def _data_uri(sheet: Image.Image) -> str:
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
