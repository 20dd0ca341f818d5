"""Every ready-made config parses, builds its method and views, and opens with what a reader needs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sslcore.augment import build_views
from sslcore.backbones import BACKBONES
from sslcore.config.params import Params, read_params
from sslcore.methods import METHODS, method_class
from sslcore.training.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "configs").glob("*/*.yaml"))
IDS = [f"{path.parent.name}-{path.stem}" for path in FILES]
PUBLISHED = json.loads((Path(__file__).with_name("published.json")).read_text(encoding="utf-8"))
"""Copied from lightly's table, apart from the configs."""


def options_of(params: Params) -> Any:
    cls = method_class(params.pretrain.method)
    return cls.Options(**params.pretrain.method_options)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_it_parses_and_names_what_there_is(path: Path) -> None:
    params = read_params(path)
    assert params.pretrain.method == path.stem
    assert params.pretrain.backbone in BACKBONES
    assert params.pretrain.optimizer in OPTIMIZERS
    assert options_of(params) is not None


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_its_views_are_as_many_as_the_method_takes(path: Path) -> None:
    config = read_params(path).pretrain
    cls = method_class(config.method)
    name = cls.default_views(config.image_size) if config.views == "auto" else config.views
    views = build_views(name, image_size=config.image_size, **config.view_options)
    made = views(torch.rand(2, 3, 40, 40), torch.Generator().manual_seed(0))
    assert len(made) >= cls.num_views
    assert made[0].shape[-1] == config.image_size


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_it_opens_with_source_hardware_time_number_and_command(path: Path) -> None:
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    for word in ("Source:", "Hardware:", "Time:", "Expect:", "Command:"):
        assert any(line.startswith(f"# {word}") for line in head), word
    assert any(f"configs/{path.parent.name}/{path.name}" in line for line in head)


def test_each_published_figure_has_its_config_and_each_method_a_quick_one() -> None:
    by_folder = {
        folder: {path.stem for path in FILES if path.parent.name == folder} for folder in ("cifar10", "quick")
    }
    assert by_folder["cifar10"] == set(PUBLISHED)
    assert by_folder["quick"] == set(METHODS)
    for name, accuracy in PUBLISHED.items():
        text = (ROOT / "configs" / "cifar10" / f"{name}.yaml").read_text(encoding="utf-8")
        assert f"kNN accuracy {accuracy:.3f} there" in text
