"""Which backbones give patch tokens."""

from typing import Any

import pytest
import torch

from sslcore.backbones import build_backbone
from sslcore.backbones.tokens import mean_of_patches, require_tokens
from sslcore.errors import ConfigError


def test_a_vit_gives_tokens_and_a_resnet_is_one_line() -> None:
    vit: Any = build_backbone("vit-tiny-8", image_size=16)
    assert require_tokens(vit, "method ibot") is vit
    with pytest.raises(
        ConfigError, match="method ibot needs a backbone with patch tokens, and ResNet has none"
    ):
        require_tokens(build_backbone("resnet10-small", image_size=16), "method ibot")


def test_the_mean_leaves_prefix_tokens_out() -> None:
    tokens = torch.tensor([[[9.0], [9.0], [1.0], [3.0]]])
    assert mean_of_patches(tokens, 2).tolist() == [[2.0]]
