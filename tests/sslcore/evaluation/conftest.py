"""Drawn images of three patterns, partly labelled, ingested and embedded by a small random network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sslcore.backbones import build_backbone, save_backbone
from sslcore.config import EmbedConfig, IngestConfig
from sslcore.data.ingest import ingest
from sslcore.embedding.embed import embed

SIZE = 32
BACKBONE = "resnet10-small"
PATTERNS = ("across", "down", "noise")


@dataclass(frozen=True)
class Inputs:
    """What evaluate reads."""

    dataset: Path
    backbone: Path
    embeddings: Path
    labels: Path

    def arguments(self) -> dict[str, Any]:
        """Return them by name."""
        return dict(vars(self))

    def with_labels(self, folder: Path, text: str) -> "Inputs":
        """Return the same with a file of added labels."""
        folder.mkdir()
        (folder / "added.csv").write_text(text)
        return replace(self, labels=folder)


def draw(pattern: str, number: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([PATTERNS.index(pattern), number])
    noise: NDArray[np.uint8] = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    if pattern == "noise":
        return noise
    stripes = 255.0 * ((np.arange(SIZE) + rng.integers(8)) % 8 < 4)
    striped = np.broadcast_to(stripes[:, None] if pattern == "across" else stripes, (SIZE, SIZE))
    mixed: NDArray[np.uint8] = (0.7 * striped[:, :, None] + 0.3 * noise).astype(np.uint8)
    return mixed


def make_backbone(folder: Path, seed: int) -> Path:
    folder.mkdir()
    module = build_backbone(BACKBONE, image_size=SIZE, seed=seed)
    save_backbone(folder, module, backbone=BACKBONE, image_size=SIZE)
    return folder


@pytest.fixture(scope="session")
def make_inputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Inputs]:
    """Make inputs of 60 images, with what labels.csv and heldout.csv hold."""

    def make(labels: str, heldout: str = "") -> Inputs:
        root = tmp_path_factory.mktemp("evaluate")
        for name in ("source", "dataset", "embeddings"):
            (root / name).mkdir()
        for i in range(60):
            Image.fromarray(draw(PATTERNS[i % 3], i)).save(root / "source" / f"{i:02}.png")
        (root / "source" / "labels.csv").write_text(labels)
        if heldout:
            (root / "source" / "heldout.csv").write_text(heldout)
        config = IngestConfig(
            source=str(root / "source"), val_fraction=0.25, test_fraction=0.25, num_workers=1
        )
        ingest(config, output=root / "dataset")
        inputs = Inputs(
            root / "dataset", make_backbone(root / "backbone", 0), root / "embeddings", root / "none"
        )
        settings = EmbedConfig(num_workers=0, device="cpu")
        embed(settings, dataset=inputs.dataset, backbone=inputs.backbone, output=inputs.embeddings)
        return inputs

    return make


@pytest.fixture(scope="session")
def inputs(make_inputs: Callable[[str, str], Inputs]) -> Inputs:
    """Two of three images labelled, the others held out."""
    lines = [f"{i:02}.png,{PATTERNS[i % 3]}\n" for i in range(60)]
    return make_inputs(
        "filename,label\n" + "".join(line for i, line in enumerate(lines) if i % 4),
        "filename,label\n" + "".join(lines[::4]),
    )


@pytest.fixture(scope="session")
def unlabelled(make_inputs: Callable[[str, str], Inputs]) -> Inputs:
    """No label at all."""
    return make_inputs("filename,label\n", "")


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_backbone(tmp_path_factory.mktemp("models") / "champion", seed=1)
