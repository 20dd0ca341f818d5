"""Which features are taken, against the network's own parts run by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sslcore.augment import normalize
from sslcore.backbones import build_backbone, load_backbone, save_backbone
from sslcore.config import EmbedConfig
from sslcore.data import SampleDataset
from sslcore.embedding import read_embeddings
from sslcore.embedding.embed import embed
from sslcore.embedding.features import feature_function
from sslcore.errors import ConfigError


def images() -> torch.Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_layers_are_averaged_over_places_and_put_side_by_side() -> None:
    network: Any = build_backbone("resnet10-small", image_size=32, seed=0).eval()
    with torch.no_grad():
        early = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(images())))))
        late = network.layer2(early)
        expected = torch.cat([early.mean(dim=(2, 3)), late.mean(dim=(2, 3))], dim=1)
        got = feature_function(network, "layers:layer1,layer2")(images())
    torch.testing.assert_close(got, expected)


def test_tokens_are_those_of_the_transformer() -> None:
    network: Any = build_backbone("vit-tiny-8", image_size=32, seed=0).eval()
    with torch.no_grad():
        tokens = network.forward_tokens(images())
        patches = tokens[:, network.num_prefix_tokens :]
        assert torch.equal(feature_function(network, "cls")(images()), tokens[:, 0])
        assert torch.equal(feature_function(network, "patch_mean")(images()), patches.mean(dim=1))
        assert torch.equal(feature_function(network, "patches")(images()), patches.reshape(3, -1))


def test_the_files_say_which_features_they_hold(tmp_path: Path, source: Any) -> None:
    dataset = source.ingest()
    (tmp_path / "model").mkdir()
    network = build_backbone("vit-tiny-8", image_size=32, seed=0)
    save_backbone(tmp_path / "model", network, backbone="vit-tiny-8", image_size=32)
    made = {}
    for features in ("pooled", "patches"):
        output = tmp_path / features
        output.mkdir()
        config = EmbedConfig(num_workers=0, device="cpu", features=features)
        before = tmp_path / "pooled" if features == "patches" else None
        report = embed(config, dataset=dataset, backbone=tmp_path / "model", output=output, previous=before)
        assert report.figures["num_new"] == 5
        made[features] = read_embeddings(output)
    assert made["patches"].features == "patches"
    loaded, info = load_backbone(tmp_path / "model")
    module: Any = loaded
    image = SampleDataset(dataset, image_size=32)[0][0][None]
    with torch.no_grad():
        tokens = module.forward_tokens(normalize(image, info.normalization))
    expected = tokens[0, module.num_prefix_tokens :].flatten()
    assert made["patches"].vectors.shape == (5, len(expected))
    torch.testing.assert_close(torch.from_numpy(made["patches"].vectors[0]), expected, atol=1e-5, rtol=1e-4)


def test_features_that_the_network_lacks_are_named() -> None:
    network = build_backbone("resnet10-small", image_size=32, seed=0).eval()
    with pytest.raises(ConfigError, match="no layer 'layer9'.*did you mean 'layer"):
        feature_function(network, "layers:layer9")
    with pytest.raises(ConfigError, match="needs a backbone with patch tokens"):
        feature_function(network, "cls")
