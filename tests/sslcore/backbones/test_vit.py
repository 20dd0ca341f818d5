"""The vision transformer against timm's, and its masks against what they mean."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sslcore.backbones import build_backbone, export_graph, load_backbone, save_backbone
from sslcore.backbones.positions import sincos_positions
from sslcore.backbones.vit import VisionTransformer, vit_kwargs
from sslcore.errors import ConfigError

TINY: dict[str, Any] = {"image_size": 16, "patch_size": 4, "embed_dim": 24, "depth": 3, "num_heads": 3}


def tiny(**kwargs: Any) -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(**{**TINY, **kwargs}).eval()


def images(batch: int = 2, height: int = 16, width: int = 16) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def timm_twin(folder: Path) -> nn.Module:
    """What somebody without sslflow does with model.json and backbone.safetensors."""
    architecture = json.loads((folder / "model.json").read_text())["architecture"]
    module, _, name = architecture["cls"].rpartition(".")
    made: nn.Module = getattr(importlib.import_module(module), name)(**architecture["kwargs"])
    made.load_state_dict(load_file(folder / "backbone.safetensors"), strict=True)
    return made.eval()


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"num_registers": 2, "positions": "learnt"}, {"layer_scale": 0.3, "pool": "avg"}],
    ids=["plain", "registers", "layer scale and mean"],
)
def test_timm_rebuilds_it_from_what_is_saved(
    kwargs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tiny(**kwargs)
    made.add_mask_token()
    save_backbone(tmp_path, made, backbone="theirs:factory", image_size=16)
    twin = timm_twin(tmp_path)
    for height, width in ((16, 16), (8, 24), (32, 32)):  # Other sizes: positions are resized.
        batch = images(2, height, width)
        torch.testing.assert_close(made(batch), twin(batch))
        torch.testing.assert_close(made.forward_tokens(batch), twin.forward_features(batch))  # type: ignore[operator]


def test_a_name_is_saved_and_loaded_without_timm(tmp_path: Path) -> None:
    made = build_backbone("vit-tiny-8-reg2-learnt-ls", image_size=16, seed=0).eval()
    save_backbone(tmp_path, made, backbone="vit-tiny-8-reg2-learnt-ls", image_size=16)
    code = (
        "import sys; sys.modules['timm'] = None\n"
        "from pathlib import Path\nimport torch\nfrom sslcore.backbones import load_backbone\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "torch.save(load_backbone(folder)[0](torch.ones(1, 3, 16, 16)), folder / 'f')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    torch.testing.assert_close(torch.load(tmp_path / "f"), made(torch.ones(1, 3, 16, 16)))
    assert load_backbone(tmp_path)[1].embed_dim == 192


@pytest.mark.parametrize("name", ["vit-huge-16", "vit-tiny", "vit-tiny-16-blue"])
def test_a_wrong_name_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=f"backbone {name} is no vit-SIZE-PATCH"):
        build_backbone(name, image_size=32)


def test_a_name_says_the_sizes_of_the_papers() -> None:
    made = VisionTransformer(**vit_kwargs("vit-small-14-reg4-ls", image_size=28))
    assert (made.embed_dim, made.num_heads, len(made.blocks)) == (384, 6, 12)
    assert (made.patch_size, made.num_prefix_tokens, made.layer_scale) == (14, 5, 1e-5)


def test_a_side_that_is_no_multiple_of_the_patch_is_one_line() -> None:
    with pytest.raises(ConfigError, match="multiples of the patch size 4, got 16 x 18 pixels"):
        tiny()(images(1, 16, 18))
    with pytest.raises(ConfigError, match="multiples of the patch size 5, got 16 x 16"):
        tiny(patch_size=5)


def test_sincos_positions_are_the_formula() -> None:
    got = sincos_positions(8, (2, 3))[0]
    for row in range(2):
        for column in range(3):
            expected = []
            for where in (row, column):
                angles = [where / 10000 ** (k / 2) for k in range(2)]
                expected += [torch.tensor(angles).sin(), torch.tensor(angles).cos()]
            torch.testing.assert_close(got[row * 3 + column], torch.cat(expected))


def test_tokens_and_features_belong_together() -> None:
    made, batch = tiny(num_registers=2), images()
    tokens = made.forward_tokens(batch)
    assert tokens.shape == (2, 3 + 16, 24)
    torch.testing.assert_close(made(batch), tokens[:, 0])
    made.pool = "avg"
    torch.testing.assert_close(made(batch), tokens[:, 3:].mean(dim=1))


def test_what_is_not_kept_has_no_influence_and_what_is_kept_stays_in_its_place() -> None:
    made, batch = tiny(), images()
    keep = torch.tensor([[3, 0, 9], [15, 2, 7]])
    tokens = made.forward_tokens(batch, keep=keep)
    assert tokens.shape == (2, 1 + 3, 24)
    changed = batch.clone()
    changed[0, :, 4:8, 8:12] = 0  # Patch 6 of the first sample, which is not kept.
    torch.testing.assert_close(made.forward_tokens(changed, keep=keep), tokens)
    everything = torch.arange(16).expand(2, -1).flip(1)
    flipped = made.forward_tokens(batch, keep=everything)[:, 1:].flip(1)
    torch.testing.assert_close(flipped, made.forward_tokens(batch)[:, 1:])


def test_a_masked_patch_is_not_seen() -> None:
    made, batch = tiny(), images()
    with pytest.raises(ConfigError, match=r"without mask token: call add_mask_token\(\)"):
        made.forward_tokens(batch, mask=torch.ones(2, 16, dtype=torch.bool))
    made.add_mask_token()
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, 6] = True
    changed = batch.clone()
    changed[0, :, 4:8, 8:12] = 0
    masked = made.forward_tokens(batch, mask=mask)
    torch.testing.assert_close(made.forward_tokens(changed, mask=mask), masked)
    torch.testing.assert_close(masked[1], made.forward_tokens(batch)[1])
    assert not torch.allclose(masked[0], made.forward_tokens(batch)[0])


def test_drop_path_skips_samples_in_training_only_and_keeps_the_mean() -> None:
    made = tiny(depth=2)
    blocks: list[Any] = list(made.blocks)
    block, tokens = blocks[1], torch.randn(4000, 2, 24)
    made.set_drop_path(0.25)
    assert [each.drop_path for each in blocks] == [0.0, 0.25]
    branch = torch.ones(4000, 2, 24)
    dropped = block.train()._drop(branch)
    assert sorted(set(dropped[:, 0, 0].tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert (dropped == dropped[:, :1, :1]).all()
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    torch.testing.assert_close(block.eval()(tokens), block(tokens))


def test_an_exported_graph_gives_the_same_features(tmp_path: Path) -> None:
    made = tiny(num_registers=1)
    export_graph(made, image_size=16, path=tmp_path / "graph.pt2")
    graph = torch.export.load(tmp_path / "graph.pt2").module()
    for batch in (1, 5):
        torch.testing.assert_close(graph(images(batch)), made(images(batch)), atol=1e-5, rtol=1e-4)
