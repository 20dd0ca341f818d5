"""A dataset straight over a folder of images, for those who want no pipeline."""

import logging
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from sslcore.data.decode import ImageError, decode_image, decode_resized
from sslcore.data.labels import class_folders
from sslcore.data.listing import SourceFile, list_source
from sslcore.data.media import accepted_extensions
from sslcore.errors import UserError

__all__ = ["MediaDataset"]

log = logging.getLogger(__name__)


class MediaDataset(Dataset[tuple[Any, int, str]]):
    """The images below a folder, at any depth, without ingesting them.

    ``dataset[i]`` is ``(image, label, filename)``: a uint8 tensor [3, H, W], or what ``transform`` makes of
    the PIL image; the index of its class folder in ``classes``, or -1; the name relative to the source.

    A file that cannot be decoded never stops an epoch: the next image that can stands in for it, with its
    own label and name, a warning names the file, and it is counted in ``unreadable`` (of this process).

    Videos are not read: they are counted in ``num_videos_ignored`` and a warning says so. To train on their
    frames, run the ingest stage and use `SampleDataset`.

    Args:
        source: A folder, or a .txt list of paths.
        transform: From an upright RGB PIL image to anything.
        image_size: Shorter side resized to this many pixels (antialiased bilinear), then centre crop; before
            ``transform``. ``None`` for each image's own size.

    Attributes:
        filenames: Names, sorted.
        labels: Class indices; all -1 unless all images lie just inside two or more folders.
        classes: Names of the class folders, sorted.
        unreadable: Names of files that this process could not decode.
        num_videos_ignored: Videos in the source.

    Raises:
        UserError: If the source is missing or has no image; when read, if no image at all can be decoded.
    """

    def __init__(
        self,
        source: Path | str,
        transform: Callable[[Image.Image], Any] | None = None,
        image_size: int | None = None,
    ) -> None:
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size must be >= 1, got {image_size}")
        listing = list_source(str(source), Path("."))
        images = [file for file in listing.files if file.kind == "image"]
        self.num_videos_ignored = len(listing.files) - len(images)
        if self.num_videos_ignored:
            log.warning("%s: %d videos are not read; ingest takes frames", source, self.num_videos_ignored)
        if not images:
            raise UserError(f"{source} has no image; accepted are {accepted_extensions()}")
        self.transform = transform
        self.image_size = image_size
        self.filenames = [file.name for file in images]
        folders = [posixpath.dirname(name) for name in self.filenames]
        self.classes = sorted(set(folders)) if class_folders(self.filenames) else []
        numbers = {name: number for number, name in enumerate(self.classes)}
        self.labels = [numbers.get(folder, -1) for folder in folders]
        self.unreadable: set[str] = set()
        self._files: list[SourceFile] = images

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Any, int, str]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} images")
        for step in range(len(self)):
            place = (index + step) % len(self)
            image = self._decode(self._files[place])
            if image is not None:
                return self._transformed(image), self.labels[place], self.filenames[place]
        raise UserError(f"none of the {len(self)} images can be decoded, the first is {self.filenames[0]}")

    def _decode(self, file: SourceFile) -> Image.Image | None:
        try:
            data = Path(file.path).read_bytes()
            return decode_image(data) if self.image_size is None else decode_resized(data, self.image_size)
        except (ImageError, OSError) as error:
            if file.name not in self.unreadable:
                log.warning("%s cannot be read, the next image stands in for it: %s", file.name, error)
            self.unreadable.add(file.name)
            return None

    def _transformed(self, image: Image.Image) -> Any:
        if self.transform is not None:
            return self.transform(image)
        return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).contiguous()
