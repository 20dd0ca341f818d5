"""A small ingested data set, drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sslcore.config import IngestConfig
from sslcore.data.ingest import ingest

MakeDataset = Callable[..., Path]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Return a function that draws discs and boxes in random colours and places, and ingests them."""

    def make(
        num_images: int = 40, *, labels: bool = True, val_fraction: float = 0.25, name: str = "d"
    ) -> Path:
        rng = np.random.default_rng(0)
        for number in range(num_images):
            kind = ("disc", "box")[number % 2]
            folder = tmp_path / name / (kind if labels else "all")
            folder.mkdir(parents=True, exist_ok=True)
            back, front = (tuple(int(each) for each in rng.integers(0, 255, 3)) for _ in range(2))
            image = Image.new("RGB", (24, 24), back)
            left, top = (int(each) for each in rng.integers(0, 9, 2))
            pen = ImageDraw.Draw(image)
            draw = pen.ellipse if kind == "disc" else pen.rectangle
            draw((left, top, left + 14, top + 14), fill=front)
            image.save(folder / f"{number:03}.png")
        output = tmp_path / f"{name}-dataset"
        output.mkdir()
        config = IngestConfig(source=name, val_fraction=val_fraction, test_fraction=0.0)
        ingest(config, output=output, root=tmp_path)
        return output

    return make
