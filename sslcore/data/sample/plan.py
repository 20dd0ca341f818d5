"""Which files the sample has: names, classes, bursts, copies and labels, before anything is drawn."""

from dataclasses import dataclass

import numpy as np

from sslcore.data.sample.shapes import SHAPES

__all__ = ["ImageFile", "class_counts", "generator_for", "plan_images", "split_labels"]

IMBALANCE = 6
"""The most common class has this many times the scenes of the rarest."""
NEAR_DUPLICATES = 0.05
"""Share of the images that are further shots of a burst."""
COPIES = 0.002
"""Share of the images that are byte-for-byte copies of another; at least two."""
LABELLED = 0.18
"""Share of each class that labels.csv names."""
MIN_LABELS = 10
"""Labels each class has at least, as long as that is not more than half of it."""

FOLDERS = (
    "camera-1/2024-05",
    "camera-1/2024-06",
    "camera-2/2024-05",
    "camera-2/2024-06",
    "camera-2/2024-06/evening",
    "phone/album",
)
COPIES_FOLDER = "phone/backup"
SESSION = 20
"""About this many scenes in a row land in one folder."""
ROOT = 0.01
"""Share of the scenes that lie in the root."""

_PURPOSES = ("plan", "labels", "scene", "shot", "broken", "video")


@dataclass(frozen=True)
class ImageFile:
    """One image file of the sample."""

    name: str
    """Path below the sample's folder, with `/`."""
    shape: str
    """The class."""
    scene: int
    """Number of the scene; the shots of a burst and the copies of a file share it."""
    shot: int
    """0 is the scene itself, 1 and up are slight variations of it."""
    copy_of: str | None = None
    """Name of the file whose bytes it has, if it is a copy."""


def generator_for(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return a generator that depends on nothing but these arguments.

    Args:
        seed: The sample's.
        purpose: What it is for; each purpose has its own stream.
        numbers: Which one of that purpose (a scene's number, for example).
    """
    return np.random.default_rng(np.random.SeedSequence([seed, _PURPOSES.index(purpose) + 1, *numbers]))


def class_counts(num_scenes: int) -> dict[str, int]:
    """Return how many scenes each class gets: a falling geometric row, ``IMBALANCE`` from end to end.

    Args:
        num_scenes: To be shared out, at least one per class.
    """
    weights = IMBALANCE ** -np.linspace(0, 1, len(SHAPES))
    edges = np.round(np.cumsum(weights) / weights.sum() * num_scenes).astype(int)
    counts = np.diff(edges, prepend=0)
    return dict(zip(SHAPES, counts.tolist(), strict=True))


def plan_images(*, seed: int, num_images: int) -> list[ImageFile]:
    """Return the image files of a sample, in the order of their numbers; copies come last.

    Args:
        seed: Of the sample.
        num_images: How many files, copies and further shots included.
    """
    generator = generator_for(seed, "plan")
    num_copies = max(2, round(COPIES * num_images))
    num_shots = round(NEAR_DUPLICATES * num_images)
    counts = class_counts(num_images - num_copies - num_shots)
    shapes = [shape for shape, count in counts.items() for _ in range(count)]
    generator.shuffle(shapes)
    bursts = _share_shots(len(shapes), num_shots, generator)
    digits = max(5, len(str(num_images)))
    files: list[ImageFile] = []
    folder = ""
    for scene, shape in enumerate(shapes):
        if scene % SESSION == 0:
            folder = FOLDERS[int(generator.integers(len(FOLDERS)))]
        place = "" if generator.random() < ROOT else f"{folder}/"
        for shot in range(1 + bursts[scene]):
            ending = "jpg" if generator.random() < 0.6 else "png"
            name = f"{place}img-{len(files) + 1:0{digits}d}.{ending}"
            files.append(ImageFile(name=name, shape=shape, scene=scene, shot=shot))
    return files + _plan_copies(files, num_copies, generator)


def split_labels(files: list[ImageFile], *, seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """Choose at random which images have a label and which labels are held out.

    A copy goes where its original goes, since to whoever reads the sample the two are one image.

    Args:
        files: Of the sample.
        seed: Of the sample.

    Returns:
        (labelled, held out): label by filename, both sorted by filename.
    """
    generator = generator_for(seed, "labels")
    chosen: set[str] = set()
    for shape in SHAPES:
        names = [file.name for file in files if file.shape == shape and file.copy_of is None]
        count = max(1, round(LABELLED * len(names)), min(MIN_LABELS, len(names) // 2))
        chosen.update(names[i] for i in generator.permutation(len(names))[:count])
    labelled: dict[str, str] = {}
    heldout: dict[str, str] = {}
    for file in sorted(files, key=lambda file: file.name):
        (labelled if (file.copy_of or file.name) in chosen else heldout)[file.name] = file.shape
    return labelled, heldout


def _share_shots(num_scenes: int, num_shots: int, generator: np.random.Generator) -> list[int]:
    """Give further shots to random scenes, one to three each, until there are none left."""
    bursts = [0] * num_scenes
    left = num_shots
    for scene in generator.permutation(num_scenes).tolist():
        if not left:
            break
        bursts[scene] = min(left, int(generator.integers(1, 4)))
        left -= bursts[scene]
    return bursts


def _plan_copies(files: list[ImageFile], num_copies: int, generator: np.random.Generator) -> list[ImageFile]:
    """Choose images that lie a second time in another folder, under a name of that folder's own."""
    copies = []
    for number, index in enumerate(generator.permutation(len(files))[:num_copies].tolist(), start=1):
        file = files[index]
        name = f"{COPIES_FOLDER}/{number:04d}.{file.name.rpartition('.')[2]}"
        copies.append(ImageFile(name, file.shape, file.scene, file.shot, copy_of=file.name))
    return copies
