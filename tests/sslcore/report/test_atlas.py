"""Every tile holds its own sample."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from sslcore.config import IngestConfig
from sslcore.data import SampleDataset
from sslcore.data.ingest import ingest
from sslcore.report import make_atlas

ORIENTATION = 0x0112


@pytest.fixture
def ingested(tmp_path: Path) -> Callable[[], SampleDataset]:
    """Ingest what the test put into the folder `pictures`."""

    def run() -> SampleDataset:
        (tmp_path / "dataset").mkdir()
        ingest(IngestConfig(source="pictures"), output=tmp_path / "dataset", root=tmp_path)
        return SampleDataset(tmp_path / "dataset")

    (tmp_path / "pictures").mkdir()
    return run


def test_the_box_of_a_tile_holds_the_thumbnail_of_its_sample(
    tmp_path: Path, ingested: Callable[[], SampleDataset]
) -> None:
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate([(40, 30), (30, 40), (9, 9), (64, 64), (50, 10)]):
        pixels = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    atlas = make_atlas(ingested(), [4, 0, 2, 1, 3, 0], tile_size=20)
    expected = {4: (20, 4), 0: (20, 15), 2: (20, 20), 1: (15, 20), 3: (20, 20)}
    for tile, number in enumerate([4, 0, 2, 1, 3, 0]):
        sheet, box = atlas.box(tile)
        with Image.open(tmp_path / "pictures" / f"{number}.png") as image:
            thumbnail = image.resize(expected[number], Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(atlas.sheets[sheet].crop(box), thumbnail)


def test_tiles_do_not_touch_each_other(make_inputs: Callable[..., Any]) -> None:
    samples = SampleDataset(make_inputs()["dataset"])
    atlas = make_atlas(samples, range(12), tile_size=20)
    for tile in range(12):
        sheet, (left, top, right, bottom) = atlas.box(tile)
        row, column = divmod(tile, 4)
        assert sheet == 0
        assert (20 * column <= left < right <= 20 * column + 20) is True
        assert (20 * row <= top < bottom <= 20 * row + 20) is True
        assert max(right - left, bottom - top) == 20


def test_sheets_follow_one_another_when_one_is_full(
    make_inputs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sslcore.report.atlas.MOST_PIXELS", 40)
    samples = SampleDataset(make_inputs()["dataset"])
    atlas = make_atlas(samples, range(10), tile_size=20)
    assert [sheet.size for sheet in atlas.sheets] == [(40, 40), (40, 40), (40, 20)]
    for tile in range(10):
        sheet, (left, top, right, bottom) = atlas.box(tile)
        middle = atlas.sheets[sheet].getpixel(((left + right) // 2, (top + bottom) // 2))
        assert middle == tuple(samples[tile][0][:, 0, 0].tolist())


def test_a_panorama_keeps_at_least_a_pixel(tmp_path: Path, ingested: Callable[[], SampleDataset]) -> None:
    Image.new("RGB", (900, 8), "red").save(tmp_path / "pictures" / "wide.png")
    Image.new("RGB", (8, 900), "blue").save(tmp_path / "pictures" / "tall.png")
    atlas = make_atlas(ingested(), [0, 1], tile_size=20)
    assert atlas.shapes == ((1, 20), (20, 1))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_large_photograph_is_upright_and_as_if_decoded_whole(
    tmp_path: Path, ingested: Callable[[], SampleDataset], mode: str
) -> None:
    ramp = np.add.outer(np.arange(400), np.arange(600)) % 400 // 2
    pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = tmp_path / "pictures" / "photograph.jpg"
    Image.fromarray(pixels).convert(mode).save(path, quality=95, exif=exif)
    atlas = make_atlas(ingested(), [0], tile_size=48)
    with Image.open(path) as image:
        whole = ImageOps.exif_transpose(image).convert("RGB").resize((32, 48), Image.Resampling.LANCZOS)
    shown = atlas.sheets[0].crop(atlas.box(0)[1])
    difference = np.abs(np.asarray(shown, np.int16) - np.asarray(whole, np.int16))
    assert (shown.size, float(difference.mean()) < 3) == ((32, 48), True)


def test_sheets_are_data_uris_that_decode(make_inputs: Callable[..., Any]) -> None:
    samples = SampleDataset(make_inputs()["dataset"])
    content: Any = make_atlas(samples, [0, 1], tile_size=16).as_json()
    data = base64.b64decode(content["sheets"][0]["uri"].removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (content["sheets"][0]["width"], content["sheets"][0]["height"]) == (32, 16)


def test_no_samples_make_no_sheet(make_inputs: Callable[..., Any]) -> None:
    atlas = make_atlas(SampleDataset(make_inputs()["dataset"]), [], tile_size=16)
    assert atlas.as_json()["sheets"] == []
