"""What the batteries over all methods share: a small method of each name, and views for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslcore.augment import VIEWS, ViewList, build_views
from sslcore.backbones import BACKBONES, build_backbone
from sslcore.methods import Method, Progress, method_class

IMAGE_SIZE = 16
BATCH = 6
WIDEST = 64

MakeMethod = Callable[..., Method]
MakeViews = Callable[..., Sequence[Tensor]]


def small_options(name: str) -> Mapping[str, Any]:
    """Cap every whole number of a method's defaults (widths, queues, prototypes): large ones are slow."""
    fields = method_class(name).Options.model_fields
    return {
        key: WIDEST for key, field in fields.items() if type(field.default) is int and field.default > WIDEST
    }


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


def small_backbone(name: str, seed: int) -> nn.Module:
    """Build what the method can train: a tiny network, or the smallest one with patch tokens."""
    if not method_class(name).needs_tokens:
        torch.manual_seed(seed)
        return TinyNet()
    tiny = next(each for each in BACKBONES if each.startswith("vit") and "tiny" in each)
    return build_backbone(tiny, image_size=IMAGE_SIZE, seed=seed)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread: networks this small only wait for each other in two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_method() -> MakeMethod:
    """Return a function that builds a small method in training mode, with nothing but chance from a seed."""

    def make(name: str, *, seed: int = 0, **options: Any) -> Method:
        torch.manual_seed(seed)
        cls = method_class(name)
        return cls(small_backbone(name, seed), cls.Options(**{**small_options(name), **options}))

    return make


@pytest.fixture
def make_views() -> MakeViews:
    """Return a function that makes the views a method was published with, of random pictures.

    While `sslcore.augment` has no such set, random tensors of the numbers and sizes that the method declares.
    """

    def make(name: str, *, seed: int = 1, batch: int = BATCH) -> Sequence[Tensor]:
        cls = method_class(name)
        generator = torch.Generator().manual_seed(seed)
        known = cls.default_views(IMAGE_SIZE)
        if known in VIEWS:
            images = torch.rand(batch, 3, 20, 20, generator=generator)
            views: Sequence[Tensor] = build_views(known, image_size=IMAGE_SIZE)(images, generator)
            return views
        sides = [IMAGE_SIZE] * cls.num_views + [IMAGE_SIZE // 2] * cls.num_local_views
        made = [torch.randn(batch, 3, side, side, generator=generator) for side in sides]
        return ViewList(made, [torch.rand(batch, 4, generator=generator) for _ in made])

    return make


@pytest.fixture
def take_step() -> Callable[..., Tensor]:
    """Return a function that takes one training step, with all hooks, as the loop does."""

    def step(
        method: Method, views: Sequence[Tensor], *, number: int = 0, lr: float = 0.01, seed: int = 0
    ) -> Tensor:
        progress = Progress(step=number, total_steps=10, steps_per_epoch=2)
        trained = [each for each in method.parameters() if each.requires_grad]
        torch.manual_seed(seed + number)
        method.before_step(progress)
        loss: Tensor = method(views)
        method.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        method.after_backward(progress)
        torch.optim.SGD(trained, lr=lr).step()
        method.after_step(progress)
        return loss.detach()

    return step
