"""What the batteries over all methods share: a small method of each name, views for it, and a step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslcore.augment import VIEWS, ViewList, build_views
from sslcore.backbones.vit import VisionTransformer
from sslcore.methods import Method, Progress, method_class

IMAGE_SIZE = 16
BATCH = 6
WIDEST = 64


class TinyNet(nn.Module):
    """Three convolutions with batch norm and a mean: a backbone that costs next to nothing."""

    def __init__(self, embed_dim: int = 32) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        layers: list[nn.Module] = []
        for before, after in ((3, 8), (8, 16), (16, embed_dim)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def feature_map(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        return self.feature_map(images).mean(dim=(2, 3))


def small_options(name: str) -> Mapping[str, Any]:
    """Cap every whole number of a method's defaults (widths, queues, prototypes): large ones are slow."""
    fields = method_class(name).Options.model_fields
    return {
        key: WIDEST for key, field in fields.items() if type(field.default) is int and field.default > WIDEST
    }


def small_backbone(name: str, seed: int, image_size: int) -> nn.Module:
    """Build what the method can train: a tiny network, or a tiny one with patch tokens."""
    torch.manual_seed(seed)
    if not method_class(name).needs_tokens:
        return TinyNet()
    return VisionTransformer(image_size=image_size, patch_size=4, embed_dim=48, depth=2, num_heads=3)


def build_method(name: str, *, seed: int = 0, image_size: int = IMAGE_SIZE, **options: Any) -> Method:
    """Build a small method in training mode, all chance in it from the seed."""
    cls = method_class(name)
    backbone = small_backbone(name, seed, image_size)
    torch.manual_seed(seed)
    return cls(backbone, cls.Options(**{**small_options(name), **options}))


def random_views(name: str, *, seed: int = 1, batch: int = BATCH) -> ViewList:
    """Make the views a method was published with, of random pictures.

    While `sslcore.augment` has no such set, random tensors of the numbers and sizes that the method declares.
    """
    cls = method_class(name)
    generator = torch.Generator().manual_seed(seed)
    known = cls.default_views(IMAGE_SIZE)
    if known in VIEWS:
        images = torch.rand(batch, 3, 20, 20, generator=generator)
        views: Any = build_views(known, image_size=IMAGE_SIZE)(images, generator)
        return views if isinstance(views, ViewList) else ViewList(views)
    sides = [IMAGE_SIZE] * cls.num_views + [IMAGE_SIZE // 2] * cls.num_local_views
    made = [torch.randn(batch, 3, side, side, generator=generator) for side in sides]
    return ViewList(made, [torch.rand(batch, 4, generator=generator) for _ in made])


def training_step(
    method: Method,
    views: Sequence[Tensor],
    *,
    number: int = 0,
    lr: float = 0.01,
    wrapped: nn.Module | None = None,
) -> Tensor:
    """Take one training step, with all hooks, as the loop does; ``wrapped`` is the method in DDP."""
    progress = Progress(step=number, total_steps=10, steps_per_epoch=2)
    torch.manual_seed(number)
    method.before_step(progress)
    loss: Tensor = (wrapped or method)(views)
    method.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    method.after_backward(progress)
    torch.optim.SGD([each for each in method.parameters() if each.requires_grad], lr=lr).step()
    method.after_step(progress)
    return loss.detach()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread: networks this small only wait for each other in two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_method() -> Callable[..., Method]:
    return build_method


@pytest.fixture
def make_views() -> Callable[..., ViewList]:
    return random_views


@pytest.fixture
def take_step() -> Callable[..., Tensor]:
    return training_step
