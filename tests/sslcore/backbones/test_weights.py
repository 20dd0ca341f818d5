"""Weights to start from, and what is said when they do not fit."""

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from sslcore.backbones import build_backbone, save_backbone
from sslcore.backbones.timm_models import build_timm, describe_timm
from sslcore.errors import ConfigError, UserError

SMALL = "resnet10-small"


def build(weights: str | Path | None = None, name: str = SMALL, seed: int = 1) -> nn.Module:
    return build_backbone(name, image_size=32, seed=seed, weights=weights)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == key and torch.equal(a, b) for (name, a), (key, b) in pairs)


def test_a_saved_backbone_a_safetensors_file_and_a_state_dict_are_started_from(tmp_path: Path) -> None:
    made = build(seed=5)
    save_backbone(tmp_path, made, backbone=SMALL, image_size=32)
    torch.save(made.state_dict(), tmp_path / "plain.pt")
    assert not same(build(), made)
    for weights in (tmp_path, tmp_path / "backbone.safetensors", str(tmp_path / "plain.pt")):
        assert same(build(weights), made)


def test_names_of_wrappers_and_of_a_whole_method_are_understood(tmp_path: Path) -> None:
    made = build(seed=5)
    method = {f"module.backbone.{key}": value for key, value in made.state_dict().items()}
    method["module.projection_head.0.weight"] = torch.zeros(3)
    torch.save({"state_dict": method, "epoch": 3}, tmp_path / "method.ckpt")
    assert same(build(tmp_path / "method.ckpt"), made)


def test_the_classifier_of_a_published_network_is_left_away(tmp_path: Path) -> None:
    published: nn.Module = torchvision.models.resnet18(weights=None)
    torch.save(published.state_dict(), tmp_path / "resnet18.pth")
    made = build(tmp_path / "resnet18.pth", "resnet18")
    assert torch.equal(made.get_parameter("conv1.weight"), published.get_parameter("conv1.weight"))


def test_torchvision_weights_are_fetched_by_name_with_their_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    published: nn.Module = torchvision.models.resnet18(weights=None)
    asked: list[dict[str, object]] = []

    def get_state_dict(self: object, **how: object) -> dict[str, torch.Tensor]:
        asked.append({"of": self, **how})
        return published.state_dict()

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", get_state_dict)
    made = build("torchvision:IMAGENET1K_V1", "resnet18")
    assert torch.equal(made.get_parameter("conv1.weight"), published.get_parameter("conv1.weight"))
    chosen = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    assert asked == [{"of": chosen, "progress": False, "check_hash": True, "weights_only": True}]


def test_without_a_network_the_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_state_dict(self: object, **how: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", get_state_dict)
    with pytest.raises(
        UserError, match=r"cannot be fetched \(no route to host\): download https://.*resnet18"
    ):
        build("torchvision:DEFAULT", "resnet18")


def test_keys_that_do_not_fit_are_named(tmp_path: Path) -> None:
    state = build().state_dict()
    state["other.weight"] = state.pop("bn1.weight")
    state["conv1.weight"] = torch.zeros(64, 3, 7, 7)
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "w.safetensors")
    message = (
        r"do not fit backbone resnet10-small: keys are 1 missing \(bn1.weight\), 1 unknown \(other.weight\), "
        r"1 of another shape \(conv1.weight \[64, 3, 7, 7\] instead of \[64, 3, 3, 3\]\)"
    )
    with pytest.raises(UserError, match=message):
        build(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("nowhere.pt", "weights nowhere.pt: no such file"),
        ("registry:champion", "are fetched by 'sslflow pretrain'"),
        ("torchvision:DEFAULT", "torchvision has no weights for backbone resnet10-small"),
    ],
)
def test_weights_that_cannot_be_had_say_why(weights: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(weights)


def test_unknown_weights_of_torchvision_list_those_there_are() -> None:
    with pytest.raises(ConfigError, match="weights of resnet18 must be one of DEFAULT, IMAGENET1K_V1"):
        build("torchvision:IMAGENET1K_V7", "resnet18")


def test_nothing_but_tensors_is_unpickled(tmp_path: Path) -> None:
    torch.save({"state_dict": build()}, tmp_path / "object.pt")
    with pytest.raises(UserError, match="hold more than tensors, which is not unpickled"):
        build(tmp_path / "object.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no backbone.safetensors"):
        build(tmp_path / "empty")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(UserError, match=r"cannot be read as \.safetensors"):
        build(tmp_path / "text.safetensors")


def test_timm_networks_of_one_size_are_built_for_the_image_size() -> None:
    pytest.importorskip("timm")
    assert describe_timm("vit_tiny_patch16_224", image_size=64)["img_size"] == 64
    assert "img_size" not in describe_timm("resnet10t.c3_in1k", image_size=64)


def test_an_unknown_timm_network_suggests_the_closest() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match="has no network 'resnet81'; did you mean 'resnet"):
        build(name="timm:resnet81")


@pytest.mark.parametrize(
    "kwargs",
    [
        {"model_name": "resnet10t", "num_classes": 0, "checkpoint_path": "evil.pth"},
        {"model_name": "resnet10t", "pretrained": True},
        {"model_name": "hf-hub:somebody/something"},
    ],
)
def test_a_file_cannot_make_timm_download_or_unpickle(kwargs: dict[str, object]) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match="with arguments that are not built from a file"):
        build_timm(kwargs)


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UserError, match=r"need timm: pip install 'sslflow\[timm\]'"):
        build(name="timm:resnet10t")
