"""What methods on patch tokens, and those that follow DINO, do beside what all methods do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslcore.backbones import build_backbone, save_backbone
from sslcore.errors import ConfigError
from sslcore.losses.pixels import patchify
from sslcore.methods import METHODS, Method, Progress, SimMIM, SimMIMOptions, method_class

Make = Callable[..., Any]
AVERAGED = ("dino", "msn", "pmsn", "ibot", "dinov2", "ijepa")


class Pixels(nn.Module):
    """A backbone whose tokens are the pixels of their patches; a CLS token of zeros before them."""

    patch_size, num_channels, num_prefix_tokens, embed_dim = 4, 3, 1, 48
    pool = "avg"

    def add_mask_token(self) -> None:
        """No mask is ever put in."""

    def forward_tokens(
        self, images: Tensor, *, mask: Tensor | None = None, keep: Tensor | None = None
    ) -> Tensor:
        patches = patchify(images, self.patch_size)
        if keep is not None:
            patches = patches.gather(1, keep[..., None].expand(-1, -1, self.embed_dim))
        return torch.cat((torch.zeros_like(patches[:, :1]), patches), dim=1)


class Oracle(nn.Module):
    """In the place of a decoder: knows the answer for every place of every image, [B, N, P]."""

    def __init__(self, answers: Tensor) -> None:
        super().__init__()
        self.answers, self.asked = answers, 0

    def forward(self, tokens: Tensor, keep: Tensor, asked: Tensor, grid: tuple[int, int]) -> Tensor:
        self.asked += asked.numel()
        assert not (asked.flatten(1)[:, :, None] == keep[:, None, :]).any()  # Nothing seen is asked for.
        return torch.stack([answers[places] for answers, places in zip(self.answers, asked, strict=True)])


def images(batch: int = 3) -> Tensor:
    return torch.rand(batch, 3, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", [name for name in METHODS if method_class(name).needs_tokens])
def test_a_backbone_without_tokens_is_one_line(name: str) -> None:
    message = f"method {name} needs a backbone with patch tokens, and ResNet has none: take vit-tiny-PATCH"
    with pytest.raises(ConfigError, match=message):
        method_class(name)(build_backbone("resnet10-small", image_size=16))


@pytest.mark.parametrize("name", AVERAGED)
def test_the_teacher_is_kept_and_moves_by_the_momentum(
    name: str, make_method: Make, make_views: Make, take_step: Make
) -> None:
    method: Method = make_method(name, momentum=0.75)
    before = [each.clone() for each in method.kept_backbone.parameters()]
    take_step(method, make_views(name), lr=1.0)
    pairs = zip(before, method.kept_backbone.parameters(), method.backbone.parameters(), strict=True)
    for old, teacher, student in pairs:
        torch.testing.assert_close(teacher, 0.75 * old + 0.25 * student)
    assert method.kept_backbone is not method.backbone


@pytest.mark.parametrize(("name", "passes"), [("dino", (2, 1)), ("ibot", (1, 0)), ("lejepa", (2,))])
def test_views_of_a_size_share_a_pass(name: str, passes: tuple[int, ...], make_method: Make) -> None:
    method: Method = make_method(name)
    sides = [16, 16, 8, 8, 8]
    views = [torch.rand(4, 3, side, side) for side in sides]
    counts = [0] * len(passes)
    for number, module in enumerate([method.backbone, method.kept_backbone][: len(passes)]):

        def count(*_: Any, number: int = number) -> None:
            counts[number] += 1

        module.register_forward_pre_hook(count)
    method(views)
    assert tuple(counts) == passes  # iBOT's global views go through forward_tokens, which has no hook.


def test_mae_asks_for_hidden_patches_only_and_compares_each_with_its_own_pixels(make_method: Make) -> None:
    method, batch = make_method("mae"), images()
    pixels = patchify(batch, 4)
    deviation = (pixels.var(dim=2, keepdim=True) + 1e-6).sqrt()
    method.decoder = Oracle((pixels - pixels.mean(dim=2, keepdim=True)) / deviation)
    assert method([batch]).item() == pytest.approx(0.0, abs=1e-9)
    assert method.decoder.asked == 3 * 12  # Three quarters of 16 patches.


def test_simmim_compares_each_hidden_patch_with_its_own_pixels() -> None:
    method = SimMIM(Pixels(), SimMIMOptions(mask_size=8))
    method.head = nn.Identity()  # type: ignore[assignment]
    assert method([images()]).item() == 0.0
    with pytest.raises(ConfigError, match="mask_size must be a multiple of the patch size 4, got 6"):
        SimMIM(Pixels(), SimMIMOptions(mask_size=6))([images()])


def test_ijepa_compares_each_target_with_the_teacher_there(make_method: Make) -> None:
    method, batch = make_method("ijepa"), images()
    with torch.no_grad():
        tokens = method.teacher_backbone.forward_tokens(batch)[:, 1:]
    method.predictor = Oracle(nn.functional.layer_norm(tokens, tokens.shape[-1:]))
    assert method([batch]).item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["mae", "simmim", "ijepa"])
def test_what_trains_no_cls_token_keeps_the_mean_of_patches(
    name: str, make_method: Make, tmp_path: Path
) -> None:
    kept = make_method(name).kept_backbone
    save_backbone(tmp_path, kept, backbone="theirs:factory", image_size=16)
    architecture = json.loads((tmp_path / "model.json").read_text())["architecture"]
    assert architecture["kwargs"]["global_pool"] == "avg"


@pytest.mark.parametrize("name", ["dino", "ibot", "dinov2"])
def test_temperature_warms_up_and_weight_decay_rises(name: str, make_method: Make) -> None:
    method = make_method(name, warmup_teacher_epochs=2.0)
    found = []
    for step in (0, 10, 20, 100):
        method.before_step(Progress(step=step, total_steps=101, steps_per_epoch=10))
        found.append(method.teacher_temperature)
    assert found == pytest.approx([0.04, 0.055, 0.07, 0.07])
    factors = [method.weight_decay_factor(Progress(step, 101, 10)) for step in (0, 100)]
    assert factors == pytest.approx([1.0, 10.0])


def test_koleo_and_heads_apart_are_what_dinov2_adds(make_method: Make, make_views: Make) -> None:
    views = make_views("dinov2")
    plain = make_method("dinov2", koleo_weight=0.0)
    spread = make_method("dinov2", koleo_weight=0.1)
    torch.manual_seed(0)
    expected = plain(views)
    torch.manual_seed(0)
    assert spread(views) != expected
    assert len(plain.heads) == 2
    assert len(make_method("ibot").heads) == 1


def test_pmsn_with_exponent_zero_is_msn(make_method: Make, make_views: Make) -> None:
    views = make_views("msn")
    losses = []
    for name, options in (("msn", {}), ("pmsn", {"power_law_exponent": 0.0, "sinkhorn_iterations": 3})):
        method = make_method(name, **options)
        torch.manual_seed(0)
        losses.append(method(views))
    torch.testing.assert_close(*losses)
