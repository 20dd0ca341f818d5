"""Features by place: their mean is what the backbone gives."""

import pytest
import torch
from torch import Tensor, nn

from sslcore.backbones import build_backbone, feature_map
from sslcore.errors import ConfigError


def images(size: int) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "size", "side"),
    [("resnet10-small", 32, 2), ("resnet18-small", 32, 4), ("resnet18", 64, 2), ("resnext50_32x4d", 64, 2)],
)
def test_the_mean_over_places_is_the_feature_vector(name: str, size: int, side: int) -> None:
    backbone = build_backbone(name, image_size=size, seed=0).eval()
    made = feature_map(backbone, images(size))
    assert made.shape == (2, backbone.embed_dim, side, side)
    torch.testing.assert_close(made.mean((2, 3)), backbone(images(size)), atol=1e-5, rtol=1e-5)


def test_a_place_sees_its_own_part_of_the_image_and_gradients_flow() -> None:
    backbone = build_backbone("resnet10-small", image_size=256, seed=0).eval()
    picture = images(256).requires_grad_()
    (gradient,) = torch.autograd.grad(feature_map(backbone, picture)[0, :, 0, -1].sum(), picture)
    where = gradient[0].abs().sum(0)
    assert where[:16, -16:].sum() > 0  # its own place: top right
    assert where[128:, :128].sum() == 0
    assert gradient[1].abs().sum() == 0


def test_a_module_with_a_map_of_its_own_is_asked_for_it() -> None:
    class Theirs(nn.Module):
        def feature_map(self, images: Tensor) -> Tensor:
            return images[:, :2, ::4, ::4]

    assert torch.equal(feature_map(Theirs(), images(8)), images(8)[:, :2, ::4, ::4])


def test_a_network_without_a_map_says_what_to_take() -> None:
    backbone = build_backbone("vit_b_32", image_size=32, seed=0)
    with pytest.raises(ConfigError, match=r"VisionTransformer has no map of features .*: take a ResNet"):
        feature_map(backbone, images(32))

    class Flat(nn.Module):
        def feature_map(self, images: Tensor) -> Tensor:
            return images.flatten(1)

    with pytest.raises(ConfigError, match=r"Flat has no map of features .*, got \(2, 192\)"):
        feature_map(Flat(), images(8))
