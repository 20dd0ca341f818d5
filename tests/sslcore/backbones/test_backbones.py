"""Backbones by name, and what is saved of them."""

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sslcore.backbones import BACKBONES, build_backbone, export_graph, load_backbone, save_backbone
from sslcore.errors import ConfigError, UserError

SMALL = "resnet10-small"


def features(module: nn.Module, size: int = 32, batch: int = 2) -> torch.Tensor:
    images = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return module.eval()(images)  # type: ignore[no-any-return]


def rebuild_by_hand(folder: Path) -> nn.Module:
    """Follow model.json with nothing but torch and torchvision, as somebody downstream would."""

    def named(path: str) -> Any:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)

    architecture = json.loads((folder / "model.json").read_text())["architecture"]
    kwargs = {key: named(value) if key == "block" else value for key, value in architecture["kwargs"].items()}
    if architecture["cls"] == "timm.create_model":
        module = pytest.importorskip("timm").create_model(**kwargs)
    else:
        module = named(architecture["cls"])(**kwargs)
    for place, made in architecture["edits"].items():
        parent, _, name = place.rpartition(".")
        setattr(module.get_submodule(parent), name, named(made["class"])(**made["kwargs"]))
    module.load_state_dict(load_file(folder / "backbone.safetensors"))
    return module  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", [*BACKBONES, "mobilenet_v3_small", "vit_b_32", "timm:resnet10t"])
def test_a_backbone_gives_features_of_its_width_and_is_rebuilt_from_model_json(
    name: str, tmp_path: Path
) -> None:
    made = build_backbone(name, image_size=32, seed=0)
    save_backbone(tmp_path, made, backbone=name, image_size=32)
    expected = features(made)
    assert expected.shape == (2, made.embed_dim)
    loaded, info = load_backbone(tmp_path)
    assert info.embed_dim == made.embed_dim
    torch.testing.assert_close(features(loaded), expected)
    torch.testing.assert_close(features(rebuild_by_hand(tmp_path)), expected)


def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = (build_backbone(SMALL, image_size=32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.conv1.weight, again.conv1.weight)  # type: ignore[union-attr, arg-type]
    assert not torch.equal(first.conv1.weight, other.conv1.weight)  # type: ignore[union-attr, arg-type]


def test_saving_is_deterministic_and_named_after_the_weights(tmp_path: Path) -> None:
    made = build_backbone(SMALL, image_size=32, seed=0)
    for name, module in (("a", made), ("b", made.to(memory_format=torch.channels_last))):
        (tmp_path / name).mkdir()
        info = save_backbone(tmp_path / name, module, backbone=SMALL, image_size=32)
        weights = (tmp_path / name / "backbone.safetensors").read_bytes()
        assert info.model_id == hashlib.sha256(weights).hexdigest()[:20]
    for file in ("backbone.safetensors", "model.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_unknown_name_suggests_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        build_backbone("resnet81", image_size=32)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package:factory", "cannot be imported"),
        ("torch.nn:NoSuchThing", "cannot be imported"),
        ("torch:seed", "must return an nn.Module, got int"),
        ("torch.nn:Identity", r"must map \[2, 3, H, W\] to \[2, D\], got \(2, 3, 32, 32\)"),
    ],
)
def test_a_factory_that_is_none_is_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(name, image_size=32)


def test_anybodys_factory_works_and_loads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5))\n"
    (tmp_path / "theirs_1.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = build_backbone("theirs_1:make", image_size=8)
    assert made.embed_dim == 5
    save_backbone(tmp_path, made, backbone="theirs_1:make", image_size=8)
    torch.testing.assert_close(features(load_backbone(tmp_path)[0], 8), features(made, 8))


def test_a_model_json_cannot_name_just_any_class(tmp_path: Path) -> None:
    save_backbone(tmp_path, build_backbone(SMALL, image_size=32), backbone=SMALL, image_size=32)
    info = json.loads((tmp_path / "model.json").read_text())
    info["architecture"]["cls"] = "subprocess.Popen"
    (tmp_path / "model.json").write_text(json.dumps(info))
    with pytest.raises(ConfigError, match="only networks of torchvision and timm are built from a file"):
        load_backbone(tmp_path)


def test_missing_or_foreign_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there: run 'sslflow pretrain' first"):
        load_backbone(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError, match=r"is no model.json of sslflow"):
        load_backbone(tmp_path)


def test_an_exported_graph_takes_any_batch_and_any_size(tmp_path: Path) -> None:
    made = build_backbone(SMALL, image_size=32, seed=0).eval()
    assert export_graph(made, image_size=32, path=tmp_path / "graph.pt2")
    graph = torch.export.load(tmp_path / "graph.pt2").module()
    for batch, size in ((1, 32), (5, 32), (3, 64)):
        images = torch.rand(batch, 3, size, size)
        with torch.no_grad():
            torch.testing.assert_close(graph(images), made(images), atol=1e-4, rtol=1e-4)


def test_a_network_of_one_size_is_exported_at_that_size(tmp_path: Path) -> None:
    made = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5)).eval()
    assert not export_graph(made, image_size=8, path=tmp_path / "graph.pt2")
    graph = torch.export.load(tmp_path / "graph.pt2").module()
    torch.testing.assert_close(graph(torch.ones(4, 3, 8, 8)), made(torch.ones(4, 3, 8, 8)))
