"""A dataset straight over a folder of images and videos, for those who want no pipeline."""

import logging
import os
import posixpath
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import Dataset

from sslcore.data.chosen_frames import DECODED_RULES, ChosenFrames, chosen_frames
from sslcore.data.decode import ImageError, decode_image, decode_resized, resize_and_crop
from sslcore.data.frame_index import FrameIndex, cache_folder, indices_of
from sslcore.data.frame_names import frame_filename
from sslcore.data.frame_reader import FrameReader
from sslcore.data.frame_rule import make_frame_rule
from sslcore.data.labels import class_folders
from sslcore.data.listing import list_source
from sslcore.data.media import accepted_extensions
from sslcore.data.video import VideoError
from sslcore.errors import UserError

__all__ = ["MediaDataset"]

log = logging.getLogger(__name__)

IMAGE = -1  # the frame number of what is no frame


class MediaDataset(Dataset[tuple[Any, int, str]]):
    """The images and frames of videos below a folder, at any depth, without ingesting them.

    ``dataset[i]`` is ``(image, label, filename)``: a uint8 tensor [3, H, W], or what ``transform`` makes of
    the PIL image; the index of its class folder in ``classes``, or -1; the name relative to the source. Names
    and frames are those that ingest would give.

    A file that cannot be decoded never stops an epoch: the next image that can stands in for it, with its
    own label and name, a warning names the file, and it is counted in ``unreadable`` (of this process).

    Frames are found by random access: frame N is frame N of a plain decode, for any codec and any timestamps
    (see `sslcore.data.frame_index`). In order each is decoded once; at random, half a keyframe interval each,
    so train on shuffled frames through the ingest stage. Each worker keeps one video open.

    Args:
        source: A folder, a video, or a .txt list of paths.
        transform: From an upright RGB PIL image to anything.
        image_size: Shorter side resized to this many pixels (antialiased bilinear), then centre crop; before
            ``transform``. ``None`` for each image's own size.
        frames: Which frames of videos: ``all``, ``every N``, ``fps X`` (X a second), ``keyframes``,
            ``scenes`` (the first frame of each) or ``none``. To find scenes each video is decoded once;
            keyframes are decoded alone where the packets tell which they are.
        cache: Folder that keeps the index of each video, and where its keyframes or scenes are; ``None``
            takes ``sslflow/frames`` in the user's cache folder (``$XDG_CACHE_HOME``, else ``~/.cache``).

    Attributes:
        classes: Names of the class folders, sorted.
        unreadable: Names of files that this process could not decode.
        num_videos: Videos whose frames are in the dataset.

    Raises:
        UserError: If the source is missing or has nothing that can be read; when read, if no image at all can
            be decoded.
        ConfigError: If ``frames`` is no such rule.
    """

    def __init__(
        self,
        source: Path | str,
        transform: Callable[[Image.Image], Any] | None = None,
        image_size: int | None = None,
        *,
        frames: str = "fps 1",
        cache: Path | None = None,
    ) -> None:
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size must be >= 1, got {image_size}")
        if frames != "none":
            make_frame_rule(frames)
        listing = list_source(str(source), Path("."))
        self.transform = transform
        self.image_size = image_size
        self.unreadable: set[str] = set()
        self._files = [file for file in listing.files if frames != "none" or file.kind == "image"]
        cache = cache if cache is not None else cache_folder()
        self._indices = self._index_videos(cache)
        self._chosen = self._choose(frames, cache) if frames in DECODED_RULES else {}
        self.num_videos = len(self._indices)
        self._owners, self._numbers = self._enumerate(frames)
        if not len(self._owners):
            raise UserError(f"{source} has no image and no video; accepted are {accepted_extensions()}")
        images = [file.name for file in self._files if file.kind == "image"]
        self.classes = sorted({posixpath.dirname(name) for name in images}) if class_folders(images) else []
        self._class_numbers = {name: number for number, name in enumerate(self.classes)}
        self._open = threading.local()

    def _index_videos(self, cache: Path) -> dict[int, FrameIndex]:
        places = [place for place, file in enumerate(self._files) if file.kind == "video"]
        found = indices_of((Path(self._files[place].path) for place in places), cache=cache)
        indices = {}
        for place, index in zip(places, found, strict=True):
            if isinstance(index, FrameIndex):
                indices[place] = index
            else:
                self._note(self._files[place].name, index)
        return indices

    def _choose(self, frames: str, cache: Path) -> dict[int, ChosenFrames]:
        """Find the frames of a rule that needs pixels; a video of which none can be had is left out."""
        places = list(self._indices)
        found = chosen_frames([Path(self._files[place].path) for place in places], frames, cache=cache)
        chosen = {}
        for place, each in zip(places, found, strict=True):
            if isinstance(each, ChosenFrames):
                chosen[place] = each
            else:
                self._note(self._files[place].name, each)
                del self._indices[place]
        return chosen

    def _enumerate(self, frames: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return each sample's file and its frame's number there: eight bytes a sample."""
        owners, numbers = [], []
        for place, file in enumerate(self._files):
            if file.kind == "image":
                taken = np.array([IMAGE], dtype=np.int32)
            elif place in self._indices:
                chosen = self._chosen.get(place)
                taken = self._indices[place].taken(frames) if chosen is None else chosen.numbers
            else:
                continue
            owners.append(np.full(len(taken), place, dtype=np.int32))
            numbers.append(taken)
        if not owners:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
        return np.concatenate(owners), np.concatenate(numbers)

    @property
    def filenames(self) -> list[str]:
        """Names of all samples, in order; made when asked for."""
        return [self.filename(index) for index in range(len(self))]

    @property
    def labels(self) -> list[int]:
        """Class indices; -1 for frames, and for all unless the images lie just inside two or more folders."""
        return [self.label(index) for index in range(len(self))]

    def filename(self, index: int) -> str:
        """Return the name of a sample."""
        place, number = int(self._owners[index]), int(self._numbers[index])
        name, chosen = self._files[place].name, self._chosen.get(place)
        if number == IMAGE:
            return name
        num_frames = len(self._indices[place]) if chosen is None else chosen.num_frames
        return frame_filename(name, number, num_frames)

    def label(self, index: int) -> int:
        """Return the class index of a sample, or -1."""
        if int(self._numbers[index]) != IMAGE:
            return -1
        return self._class_numbers.get(posixpath.dirname(self._files[int(self._owners[index])].name), -1)

    def __len__(self) -> int:
        return len(self._owners)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open = threading.local()

    def __getitem__(self, index: int) -> tuple[Any, int, str]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} images")
        for step in range(len(self)):
            place = (index + step) % len(self)
            image = self._decode(place)
            if image is not None:
                return self._transformed(image), self.label(place), self.filename(place)
        raise UserError(f"none of the {len(self)} images can be decoded, the first is {self.filename(0)}")

    def _decode(self, index: int) -> Image.Image | None:
        file, number = self._files[int(self._owners[index])], int(self._numbers[index])
        try:
            if number != IMAGE:
                frame = Image.fromarray(self._reader(int(self._owners[index])).frame(number))
                return frame if self.image_size is None else resize_and_crop(frame, self.image_size)
            data = Path(file.path).read_bytes()
            return decode_image(data) if self.image_size is None else decode_resized(data, self.image_size)
        except (ImageError, VideoError, OSError) as error:
            self._note(self.filename(index), error)
            return None

    def _reader(self, place: int) -> FrameReader:
        """Return the reader of a video; this thread's one for another video is closed."""
        held: tuple[int, int, FrameReader] | None = getattr(self._open, "reader", None)
        if held is not None and held[:2] == (os.getpid(), place):
            return held[2]
        if held is not None:
            held[2].close()
        reader = FrameReader(Path(self._files[place].path), self._indices[place])
        self._open.reader = (os.getpid(), place, reader)
        return reader

    def _note(self, name: str, error: Exception) -> None:
        if name not in self.unreadable:
            log.warning("%s cannot be read, the next image stands in for it: %s", name, error)
        self.unreadable.add(name)

    def _transformed(self, image: Image.Image) -> Any:
        if self.transform is not None:
            return self.transform(image)
        return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).contiguous()
