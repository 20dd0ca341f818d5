"""The features of a convolutional backbone before they are averaged over places."""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn
from torchvision.models import ResNet

from sslcore.errors import ConfigError

__all__ = ["feature_map"]


def feature_map(backbone: nn.Module, images: Tensor) -> Tensor:
    """Return what a backbone sees at each place of an image.

    For the ResNets, torchvision's and the small ones, the mean over places is ``backbone(images)``, to
    rounding: a method that needs both calls this once and takes ``.mean((2, 3))``.

    Args:
        backbone: A torchvision ResNet, ResNeXt or Wide ResNet; a ResNet with the small-image stem; a
            convolutional network of timm; or any module with a method ``feature_map(images)`` of its own.
        images: Normalized float [B, C, H, W].

    Returns:
        float [B, D, h, w], with gradients. Place (i, j) covers the i-th of h rows and the j-th of w columns
        of the image.

    Raises:
        ConfigError: If the backbone has no map of features, as a transformer has none.
    """
    found = _map_of(backbone)
    made = found(images) if found is not None else None
    if made is None or made.ndim != 4 or len(made) != len(images):
        shape = "" if made is None else f", got {tuple(made.shape)}"
        raise ConfigError(
            f"{type(backbone).__name__} has no map of features [B, D, h, w]{shape}: take a ResNet "
            "(resnet18, resnet18-small, resnet50, ...) or give the module a method feature_map(images)"
        )
    return made


def _map_of(backbone: nn.Module) -> Callable[[Tensor], Tensor] | None:
    own = getattr(backbone, "feature_map", None)
    if callable(own):
        return cast(Callable[[Tensor], Tensor], own)
    if isinstance(backbone, ResNet):
        return lambda images: _resnet_map(backbone, images)
    if type(backbone).__module__.split(".")[0] == "timm" and not _channels_last(backbone):
        return cast(Callable[[Tensor], Tensor], getattr(backbone, "forward_features", None))
    return None


def _resnet_map(backbone: ResNet, images: Tensor) -> Tensor:
    x = backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(images))))
    return cast(Tensor, backbone.layer4(backbone.layer3(backbone.layer2(backbone.layer1(x)))))


def _channels_last(backbone: nn.Module) -> bool:
    """Whether a timm network, such as its Swin, has its channels last."""
    return str(getattr(backbone, "output_fmt", "NCHW")).upper().endswith("NHWC")
