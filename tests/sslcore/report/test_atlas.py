"""Every tile holds its own sample."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from sslcore.data import SampleDataset
from sslcore.monitor import SILENT
from sslcore.report import make_atlas


def test_a_tile_shows_its_sample_centred_and_whole(make_inputs: Callable[..., Any]) -> None:
    samples = SampleDataset(make_inputs()["dataset"])
    indices = [7, 0, 3, 3, 11]
    atlas = make_atlas(samples, indices, tile_size=20, monitor=SILENT)
    for tile, index in enumerate(indices):
        sheet, *box = atlas.box(tile)
        shown = np.asarray(atlas.sheets[sheet].crop(tuple(box)))  # type: ignore[arg-type]
        colour = samples[index][0][:, 0, 0].numpy()
        np.testing.assert_array_equal(shown[10, 10], colour)
        height, width = samples[index][0].shape[1:]
        is_image = (shown == colour).all(axis=2)
        scale = 20 / max(height, width)
        assert abs(int(is_image.sum()) - (height * scale) * (width * scale)) <= 20


def test_sheets_follow_one_another_when_one_is_full(
    make_inputs: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr("sslcore.report.atlas.MOST_PIXELS", 40)
    samples = SampleDataset(make_inputs()["dataset"])
    atlas = make_atlas(samples, list(range(12)), tile_size=20, monitor=SILENT)
    assert [sheet.size for sheet in atlas.sheets] == [(40, 40)] * 3
    assert atlas.box(5) == (1, 20, 0, 40, 20)


def test_sheets_are_data_uris_that_decode(make_inputs: Callable[..., Any]) -> None:
    import base64
    import io

    samples = SampleDataset(make_inputs()["dataset"])
    content: Any = make_atlas(samples, [0, 1], tile_size=16, monitor=SILENT).as_json()
    data = base64.b64decode(content["sheets"][0]["uri"].removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (32, 16)
