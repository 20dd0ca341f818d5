"""docs/views.md has the parameters of every set as they are, and a picture of each that differs."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from sslcore.augment import IMAGENET, PRESETS, VIEWS, MultiView, ViewOptions, build_views, normalize
from sslcore.augment.sheet import view_sheet

DOCS = Path(__file__).parents[3] / "docs"


def text_of(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{each:g}" for each in value)
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def row_of(name: str) -> str:
    """Return the row of the table that a set must have."""
    of = PRESETS[name]
    crop = f"{of.min_scale:g}-{of.max_scale:g}" + (" bicubic" if of.interpolation == "bicubic" else "")
    local = f"{of.num_local} of {of.local_min_scale:g}-{of.local_max_scale:g}" if of.num_local else "-"
    jitter = text_of(tuple(round(each * of.jitter_strength, 3) for each in of.jitter))
    cells = [
        f"`{name}`",
        str(of.num_global),
        crop,
        local,
        text_of(of.flip_probability),
        f"{jitter}; {text_of(of.jitter_probability)}" if of.jitter_probability else "-",
        text_of(of.grey_probability),
        text_of(of.blur_probability),
        text_of(of.solarize_probability),
        VIEWS[name],
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_has_the_parameters_of_each_set(name: str) -> None:
    assert row_of(name) in (DOCS / "views.md").read_text(encoding="utf-8").splitlines()


def test_the_page_explains_every_option() -> None:
    page = (DOCS / "views.md").read_text(encoding="utf-8")
    assert [each.name for each in fields(ViewOptions) if f"`{each.name}`" not in page] == []


def test_each_set_that_differs_has_a_small_picture() -> None:
    page = (DOCS / "views.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((views/[\w-]+\.jpg)\)", page)
    assert {Path(each).name for each in pictures} == {each.name for each in (DOCS / "views").iterdir()}
    drawn = {PRESETS[Path(each).stem] for each in pictures}
    assert drawn == set(PRESETS.values())
    sizes = [(DOCS / each).stat().st_size for each in pictures]
    assert max(sizes) < 40_000
    assert sum(sizes) < 700_000


def test_a_sheet_shows_an_image_as_it_is_and_views_with_their_colours_back() -> None:

    images = torch.tensor([[255, 0, 0], [0, 0, 255]], dtype=torch.uint8)[:, :, None, None].expand(
        -1, -1, 9, 9
    )
    views = [normalize(images, IMAGENET), normalize(images[..., :3, :3], IMAGENET)]
    sheet: Image.Image = view_sheet(images, views, cell=30)
    assert sheet.size == (3 + 3 * 33, 3 + 2 * 33)
    for column in range(3):
        assert sheet.getpixel((18 + 33 * column, 18)) == (255, 0, 0)
        assert sheet.getpixel((18 + 33 * column, 51)) == (0, 0, 255)
    assert sheet.getpixel((3 + 2 * 33 + 2, 5)) == (255, 255, 255)  # a local view is smaller than its cell


def test_what_the_page_shows_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "views.md").read_text(encoding="utf-8"), re.DOTALL)
    small = code.replace("image_size=224", "image_size=32").replace("256, 256", "36, 36")
    exec(compile(small, "docs/views.md", "exec"), {})
    assert capsys.readouterr().out.startswith("[(8, 3, 32, 32), (8, 3, 32, 32), (8, 3, 16, 16)")


def test_the_recipe_on_the_page_is_composed() -> None:
    (recipe,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "views.md").read_text(encoding="utf-8"), re.DOTALL)
    settings = yaml.safe_load(recipe)["pretrain"]
    made = build_views(settings["views"], image_size=224, **settings["view_options"])
    assert isinstance(made, MultiView)
    assert made.num_views == 6
