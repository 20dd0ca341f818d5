"""Search by name, by id and by image file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sslcore.config import EmbedConfig
from sslcore.embedding import read_embeddings
from sslcore.embedding.embed import embed
from sslcore.embedding.search import search
from sslcore.errors import UserError


@dataclass(frozen=True)
class Place:
    images: Path
    embeddings: Path
    backbone: Path

    def search(self, query: str, k: int = 10) -> list[Any]:
        return list(search(query, embeddings=self.embeddings, backbone=self.backbone, k=k))


@pytest.fixture
def place(tmp_path: Path, source: Any, backbone: Path) -> Place:
    dataset = source.ingest()
    (tmp_path / "embeddings").mkdir()
    config = EmbedConfig(num_workers=0, device="cpu")
    embed(config, dataset=dataset, backbone=backbone, output=tmp_path / "embeddings")
    return Place(source.folder / "images", tmp_path / "embeddings", backbone)


def test_a_sample_finds_the_others_in_order(place: Place) -> None:
    stored = read_embeddings(place.embeddings)
    unit = stored.vectors / np.linalg.norm(stored.vectors, axis=1, keepdims=True)
    row = stored.filenames.index("d.png")
    similarities = {name: float(unit[row] @ each) for name, each in zip(stored.filenames, unit, strict=True)}
    del similarities["d.png"]
    hits = place.search("d.png")
    assert [hit.filename for hit in hits] == sorted(similarities, key=lambda name: -similarities[name])
    assert [hit.similarity for hit in hits] == pytest.approx(sorted(similarities.values())[::-1], abs=1e-6)
    assert place.search(stored.sample_ids[row], k=2) == hits[:2]


def test_an_image_file_finds_itself_first(place: Place) -> None:
    (first, second, *_) = place.search(str(place.images / "d.png"))
    assert first.filename == "d.png"
    assert first.similarity == pytest.approx(1, abs=1e-5) != second.similarity


def test_what_cannot_be_searched_for_is_one_line(place: Place, tmp_path: Path, save: Any) -> None:
    with pytest.raises(
        UserError, match=r"'c.pn' is neither a sample nor an image file; did you mean 'c.png'"
    ):
        place.search("c.pn")
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken.png cannot be read as an image"):
        place.search(str(tmp_path / "broken.png"))
