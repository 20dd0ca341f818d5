"""A few drawn images, ingested, and a small network with random weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from sslcore.backbones import build_backbone, save_backbone
from sslcore.config import IngestConfig
from sslcore.data.ingest import ingest

SIZE = 32
BACKBONE = "resnet10-small"


class Source:
    """A folder of images that grows, and the data sets made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.datasets: list[Path] = []
        (folder / "images").mkdir(parents=True)

    def add(self, *names: str) -> None:
        """Draw images of noise with these names."""
        for name in names:
            rng = np.random.default_rng(list(name.encode()))
            pixels: NDArray[np.uint8] = rng.integers(0, 256, (SIZE + 4, SIZE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(self.folder / "images" / f"{name}.png")

    def ingest(self) -> Path:
        """Make the next data set of what is in the folder now."""
        output = self.folder / f"dataset{len(self.datasets)}"
        output.mkdir()
        previous = self.datasets[-1] if self.datasets else None
        config = IngestConfig(source=str(self.folder / "images"), num_workers=1)
        ingest(config, output=output, previous=previous)
        self.datasets.append(output)
        return output


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "source")
    made.add("b", "d", "a", "c", "f")
    return made


SaveBackbone = Callable[[Path, nn.Module], Path]


@pytest.fixture(scope="session")
def save() -> SaveBackbone:
    def saved(folder: Path, module: nn.Module) -> Path:
        folder.mkdir()
        save_backbone(folder, module, backbone=BACKBONE, image_size=SIZE)
        return folder

    return saved


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory, save: SaveBackbone) -> Path:
    network = build_backbone(BACKBONE, image_size=SIZE, seed=0)
    return save(tmp_path_factory.mktemp("models") / "first", network)
