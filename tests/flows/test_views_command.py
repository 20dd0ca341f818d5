"""`sslflow views`: a picture of what a set of views makes of an image."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = main(["views", *arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run_command


def test_it_draws_a_row_for_each_image_and_a_column_for_each_view(run: Run) -> None:
    code, out, _ = run("a.png", "b.png", "--name", "dino-small", "--cell", "32", "--json")
    assert code == 0
    assert json.loads(out)["image_size"] == 32
    with Image.open("views.jpg") as sheet:
        assert sheet.size == (3 + 7 * 35, 3 + 2 * 35)  # the image, 2 global and 4 local views


def test_the_same_seed_draws_the_same_picture(run: Run) -> None:
    for name, seed in (("one", "3"), ("again", "3"), ("other", "4")):
        assert run("a.png", "--name", "simclr-small", "--seed", seed, "--output", f"{name}.png")[0] == 0
    one, again, other = (Path(f"{name}.png").read_bytes() for name in ("one", "again", "other"))
    assert one == again
    assert one != other


def test_without_a_name_the_workspace_s_views_are_drawn(run: Run) -> None:
    Path(".dvc").mkdir()
    Path("dvc.yaml").write_text("stages: {}\n")
    settings = "views: byol-small, image_size: 24, view_options: {num_views: 3}"
    Path("params.yaml").write_text(f"ingest: {{source: .}}\npretrain: {{{settings}}}\n")
    code, out, _ = run("a.png", "--option", "min_scale=0.5", "--json")
    assert (code, json.loads(out)) == (
        0,
        {
            "image_size": 24,
            "options": {"min_scale": 0.5, "num_views": 3},
            "output": "views.jpg",
            "views": "byol-small",
        },
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.png", "--name", "simclr"], "no.png cannot be read: No such file"),
        (["a.png", "--name", "simcrl"], "did you mean 'simclr'"),
        (["a.png", "--name", "simclr", "--option", "min_scale"], "must look like key=value"),
        (["a.png", "--name", "simclr-small", "--output", "views.xyz"], "views.xyz cannot be written"),
    ],
)
def test_a_mistake_is_one_line(run: Run, arguments: list[str], message: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
