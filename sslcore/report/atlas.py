"""Thumbnails of many samples on a few sheets, so that a page of thousands loads a handful of images."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from sslcore.data import SampleDataset
from sslcore.data.decode import DECODER_ERRORS, decode_image, open_image
from sslcore.monitor import SILENT, Monitor

__all__ = ["Atlas", "make_atlas"]

MOST_PIXELS = 4096
"""Side of a sheet at most; browsers on phones refuse much larger images."""
BACKGROUND = (128, 128, 128)
QUALITY = 82


@dataclass(frozen=True)
class Atlas:
    """Sheets of square tiles, filled row by row; tile ``t`` is on sheet ``t // tiles_per_sheet``.

    An image keeps its shape and lies in the middle of its tile.
    """

    tile_size: int
    columns: int
    tiles_per_sheet: int
    shapes: tuple[tuple[int, int], ...]
    """Width and height in pixels of the image in each tile."""
    sheets: tuple[Image.Image, ...]

    def box(self, tile: int) -> tuple[int, tuple[int, int, int, int]]:
        """Return the sheet of a tile, and left, top, right and bottom of the image on it."""
        sheet, place = divmod(tile, self.tiles_per_sheet)
        row, column = divmod(place, self.columns)
        width, height = self.shapes[tile]
        left = column * self.tile_size + (self.tile_size - width) // 2
        top = row * self.tile_size + (self.tile_size - height) // 2
        return sheet, (left, top, left + width, top + height)

    def as_json(self) -> dict[str, object]:
        """Return what the page needs, the sheets as data URIs."""
        return {
            "tileSize": self.tile_size,
            "columns": self.columns,
            "tilesPerSheet": self.tiles_per_sheet,
            "shapes": [list(shape) for shape in self.shapes],
            "sheets": [
                {"uri": _data_uri(sheet), "width": sheet.width, "height": sheet.height}
                for sheet in self.sheets
            ],
        }


def make_atlas(
    samples: SampleDataset, indices: Sequence[int], *, tile_size: int, monitor: Monitor = SILENT
) -> Atlas:
    """Draw the thumbnails of ``indices``, in their order.

    Args:
        samples: Where the images are.
        indices: Rows of ``samples.manifest``.
        tile_size: Longer side of a thumbnail in pixels.
        monitor: Told of each thumbnail.
    """
    most = max(1, MOST_PIXELS // tile_size)
    columns = min(most, max(1, math.ceil(math.sqrt(len(indices)))))
    per_sheet = columns * most
    shapes: list[tuple[int, int]] = []
    sheets: list[Image.Image] = []
    for tile, index in enumerate(indices):
        if tile % per_sheet == 0:
            rows = math.ceil(min(per_sheet, len(indices) - tile) / columns)
            sheets.append(Image.new("RGB", (columns * tile_size, rows * tile_size), BACKGROUND))
        thumbnail = _thumbnail(samples.encoded(index), tile_size)
        shapes.append(thumbnail.size)
        sheet, box = Atlas(tile_size, columns, per_sheet, tuple(shapes), ()).box(tile)
        sheets[sheet].paste(thumbnail, box)
        monitor.progress(tile + 1, len(indices), "thumbnails")
    return Atlas(tile_size, columns, per_sheet, tuple(shapes), tuple(sheets))


def _thumbnail(data: bytes, size: int) -> Image.Image:
    image = _decode_small(data, size)
    scale = size / max(image.size)
    # At least a pixel: a panorama of 2000 x 8 would vanish otherwise.
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(shape, Image.Resampling.LANCZOS)


def _decode_small(data: bytes, size: int) -> Image.Image:
    """Decode; a large JPEG at a half to an eighth of its size, which is several times faster."""
    image = open_image(data)
    if image.format != "JPEG":
        return decode_image(data)
    try:
        image.draft(None, (2 * size, 2 * size))
        return ImageOps.exif_transpose(image).convert("RGB")
    except DECODER_ERRORS:  # a damaged EXIF block, which decode_image looks past
        return decode_image(data)


def _data_uri(sheet: Image.Image) -> str:
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
