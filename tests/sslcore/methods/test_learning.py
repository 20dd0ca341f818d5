"""A method that cannot learn is caught: after a short run crops of a picture must be easier to tell apart.

The measure: 128 pictures of the sample's scenes, seen in mirrored crops; kNN names the picture of a crop
from other crops of all pictures. A backbone that collapses falls towards 1/128, one that learns nothing
stays where random weights are; one that becomes invariant to crops, or knows what belongs together,
rises. With the colours as they are, a random vision transformer names nearly all, so its crops are
smaller. Everything is seeded and on one thread, so a run repeats.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sslcore.augment import build_views
from sslcore.backbones.tokens import token_backbone
from sslcore.data.sample.scene import draw_scene
from sslcore.data.sample.shapes import SHAPES
from sslcore.evaluation.knn import knn_accuracy
from sslcore.masks import context_and_targets
from sslcore.methods import IJEPA, METHODS, Method, Progress, method_class

NUM_PICTURES = 128
BATCH = 64
OTHERWISE = ("ijepa",)
"""Methods with a measure of their own below: crops hardly tell I-JEPA from one whose targets are of other
images (over four seeds a gain of 0.039 on average against one of 0.012)."""
PLAIN: dict[str, Any] = {
    "jitter_probability": 0.0,
    "grey_probability": 0.0,
    "blur_probability": (0.0,),
    "solarize_probability": (0.0,),
}
"""What the views of every method go without: colour is half of how a scene is known."""
CONVOLUTIONS: dict[str, Any] = {"steps": 100, "lr": 1e-2, "smallest": 0.6, "margin": 0.2, "min_scale": 0.4}
TOKENS: dict[str, Any] = {"steps": 100, "lr": 3e-3, "smallest": 0.25, "margin": 0.08}
SETTINGS: dict[str, dict[str, Any]] = {
    "dino": {"steps": 150, "lr": 3e-3, "momentum": 0.9, "teacher_temperature": 0.04},
    "ibot": {"lr": 1e-2},
    "dinov2": {"momentum": 0.9, "teacher_temperature": 0.04},
    "msn": {"momentum": 0.9},
    "pmsn": {"momentum": 0.9},
    "mae": {"steps": 150, "lr": 1e-3, "margin": 0.04},
    "simmim": {"steps": 150, "lr": 1e-3, "margin": 0.04},
}
"""Where so short a run needs other settings: teachers that move faster than in a long one, smaller steps."""


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    generator = np.random.default_rng(5)
    drawn = [
        draw_scene(SHAPES[number % len(SHAPES)], generator=generator, width=20, height=20)
        for number in range(NUM_PICTURES)
    ]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def identification(backbone: nn.Module, pictures: Tensor, smallest: float) -> float:
    """Return how often kNN names the picture of a crop: eight crops of each, by four others of each."""
    views = build_views("simclr-small", image_size=16, **{**PLAIN, "min_scale": smallest})
    generator = torch.Generator().manual_seed(9)
    backbone.eval()
    seen = [backbone(view) for _ in range(6) for view in views(pictures, generator)]
    backbone.train()
    names = torch.arange(NUM_PICTURES)
    return knn_accuracy(
        torch.cat(seen[:4]),
        names.repeat(4),
        torch.cat(seen[4:]),
        names.repeat(8),
        num_classes=NUM_PICTURES,
        k=4,
    )


def train(method: Method, views: nn.Module, pictures: Tensor, *, steps: int, lr: float) -> None:
    """Train as the loop does, with all hooks."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW([each for each in method.parameters() if each.requires_grad], lr=lr)
    for step in range(steps):
        progress = Progress(step, steps, NUM_PICTURES // BATCH)
        rows = torch.randperm(NUM_PICTURES, generator=generator)[:BATCH]
        method.before_step(progress)
        loss = method(views(pictures[rows], generator))
        optimizer.zero_grad()
        loss.backward()
        method.after_backward(progress)
        optimizer.step()
        method.after_step(progress)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in OTHERWISE])
def test_a_short_run_beats_random_weights(
    name: str, make_method: Callable[..., Any], pictures: Tensor
) -> None:
    cls = method_class(name)
    settings = {**(TOKENS if cls.needs_tokens else CONVOLUTIONS), **SETTINGS.get(name, {})}
    steps, lr, smallest, margin = (settings.pop(each) for each in ("steps", "lr", "smallest", "margin"))
    scale = {"min_scale": settings.pop("min_scale")} if "min_scale" in settings else {}
    method = make_method(name, **settings)
    before = identification(method.kept_backbone, pictures, smallest)
    views = build_views(cls.default_views(16), image_size=16, **{**PLAIN, **scale})
    train(method, views, pictures, steps=steps, lr=lr)
    after = identification(method.kept_backbone, pictures, smallest)
    assert after >= before + margin, f"{before:.3f} before, {after:.3f} after"


@torch.no_grad()
def identification_of_hidden_parts(method: IJEPA, pictures: Tensor) -> float:
    """Return how often kNN names the picture of a block that I-JEPA has not seen, by what it says of it.

    The references are the targets of the same block of all pictures; chance is 1/128.
    """
    whole = build_views(
        "simclr-small", image_size=16, **{**PLAIN, "min_scale": 0.999, "flip_probability": 0.0}
    )
    (images, _) = whole(pictures, torch.Generator().manual_seed(9))
    torch.manual_seed(3)
    context, blocks = context_and_targets(1, (4, 4))
    context_BK, targets_BTM = context.expand(NUM_PICTURES, -1), blocks.expand(NUM_PICTURES, -1, -1)
    backbone = token_backbone(method.backbone)
    seen = backbone.forward_tokens(images, keep=context_BK)[:, backbone.num_prefix_tokens :]
    said, true = method.predictor(seen, context_BK, targets_BTM, (4, 4)), method.targets(images, targets_BTM)
    names = torch.arange(NUM_PICTURES)
    right = [
        knn_accuracy(there.flatten(1), names, here.flatten(1), names, num_classes=NUM_PICTURES, k=1)
        for here, there in zip(said.unbind(1), true.unbind(1), strict=True)
    ]
    return sum(right) / len(right)


def test_ijepa_says_which_picture_a_hidden_part_is_of(
    make_method: Callable[..., Any], pictures: Tensor
) -> None:
    method = make_method("ijepa", momentum=0.995, predictor_depth=2)
    before = identification_of_hidden_parts(method, pictures)
    views = build_views("ijepa-small", image_size=16, min_scale=0.6)
    train(method, views, pictures, steps=200, lr=1e-3)
    after = identification_of_hidden_parts(method, pictures)
    assert after >= before + 0.08, f"{before:.3f} before, {after:.3f} after"
