"""Write the sample data: images of known shapes, a video, broken files and labels for a part."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from sslcore.data.sample.broken import BROKEN_FILES, write_broken
from sslcore.data.sample.image import draw_image
from sslcore.data.sample.place import holds_sample, write_whole
from sslcore.data.sample.plan import ImageFile, plan_images, split_labels
from sslcore.data.sample.shapes import SHAPES
from sslcore.data.sample.video import write_video
from sslcore.errors import UserError
from sslcore.monitor import SILENT, Monitor

__all__ = ["VERSION", "VIDEO", "SampleReport", "write_sample"]

VERSION = 1
"""Of the drawing: goes up when the same seed gives other bytes than before."""
VIDEO = "camera-2/clip-001.mp4"
MIN_IMAGES = 40
MIN_SIZE = 24
PROGRESS_EVERY = 100

README = """Sample data of sslflow
======================

Drawn by a program; free to use for anything.

Images of {num_classes} classes that differ in shape: {classes}.
Colour, place, size, background and light say nothing about the class; nor do folders and names.

labels.csv     labels of a part of the images
heldout.csv    labels of all the others: only to measure with, never to train on
{video}
               a short video
incoming/      {num_broken} files that cannot be read, on purpose
"""


@dataclass(frozen=True)
class SampleReport:
    """What is in the sample."""

    directory: Path
    written: bool
    """False: the same sample was there already and nothing was done."""
    num_images: int
    """Images that can be read, near duplicates and copies included."""
    num_classes: int
    num_labelled: int
    """Images that labels.csv names."""
    num_heldout: int
    """Images that heldout.csv names: all the others."""
    num_near_duplicates: int
    """Images that are a slight variation of another."""
    num_copies: int
    """Images with the very bytes of another."""
    num_videos: int
    num_broken: int
    """Files that cannot be read."""
    summary: str


@dataclass(frozen=True)
class _Drawing:
    """What decides every byte of a sample."""

    sample: str
    version: int
    seed: int
    num_images: int
    image_size: int


def write_sample(
    directory: Path, *, seed: int = 0, num_images: int = 3000, image_size: int = 40, monitor: Monitor = SILENT
) -> SampleReport:
    """Draw the sample data into a folder; the same arguments give the same bytes.

    Args:
        directory: A folder that is empty or not there yet. If it holds this very sample, nothing is done.
        seed: Of everything random, >= 0.
        num_images: Images that can be read, >= 40.
        image_size: Shorter side of the images in pixels, >= 24.
        monitor: Is told how many images are drawn.

    Raises:
        UserError: If an argument is out of range, if the folder holds anything else (another sample, or this
            one with files missing), or if it cannot be written.
    """
    _check(seed=(seed, 0), num_images=(num_images, MIN_IMAGES), image_size=(image_size, MIN_SIZE))
    drawing = _Drawing("sslflow", VERSION, seed, num_images, image_size)
    files = plan_images(seed=seed, num_images=num_images)
    labelled, heldout = split_labels(files, seed=seed)
    names = [*labelled, *heldout, "labels.csv", "heldout.csv", VIDEO, *BROKEN_FILES]
    there = holds_sample(directory, marker=asdict(drawing), names=names)
    if not there:
        write = partial(_write, files=files, tables=(labelled, heldout), drawing=drawing, monitor=monitor)
        try:
            write_whole(directory, marker=asdict(drawing), write=write)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write {directory}: {reason}; choose another folder") from error
    return _report(directory, files, num_labelled=len(labelled), num_heldout=len(heldout), written=not there)


def _check(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise UserError(f"{name} must be >= {least}, got {value}")


def _write(
    root: Path,
    *,
    files: list[ImageFile],
    tables: tuple[Mapping[str, str], Mapping[str, str]],
    drawing: _Drawing,
    monitor: Monitor,
) -> None:
    _write_images(root, files, drawing=drawing, monitor=monitor)
    (root / VIDEO).parent.mkdir(parents=True, exist_ok=True)
    write_video(root / VIDEO, seed=drawing.seed, image_size=drawing.image_size)
    write_broken(root, seed=drawing.seed, video=(root / VIDEO).read_bytes())
    for name, labels in zip(("labels.csv", "heldout.csv"), tables, strict=True):
        with (root / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("filename", "label"), *labels.items()])
    readme = README.format(
        num_classes=len(SHAPES), classes=", ".join(SHAPES), video=VIDEO, num_broken=len(BROKEN_FILES)
    )
    (root / "README.txt").write_bytes(readme.encode("ascii"))


def _write_images(root: Path, files: list[ImageFile], *, drawing: _Drawing, monitor: Monitor) -> None:
    for done, file in enumerate(files):
        if done % PROGRESS_EVERY == 0:
            monitor.progress(done, len(files), "images")
        path = root / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.copy_of is None:
            path.write_bytes(draw_image(file, seed=drawing.seed, image_size=drawing.image_size))
        else:
            path.write_bytes((root / file.copy_of).read_bytes())
    monitor.progress(len(files), len(files), "images")


def _report(
    directory: Path, files: list[ImageFile], *, num_labelled: int, num_heldout: int, written: bool
) -> SampleReport:
    copies = [file for file in files if file.copy_of is not None]
    shots = [file for file in files if file.copy_of is None and file.shot > 0]
    contents = (
        f"{len(files)} images of {len(SHAPES)} classes ({num_labelled} labelled, {num_heldout} held out), "
        f"1 video and {len(BROKEN_FILES)} broken files"
    )
    return SampleReport(
        directory=directory,
        written=written,
        num_images=len(files),
        num_classes=len(SHAPES),
        num_labelled=num_labelled,
        num_heldout=num_heldout,
        num_near_duplicates=len(shots),
        num_copies=len(copies),
        num_videos=1,
        num_broken=len(BROKEN_FILES),
        summary=f"{contents} in {directory}"
        if written
        else f"nothing to do: {directory} has {contents} already",
    )
