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
from sslcore.data.sample.scene import draw_scene
from sslcore.data.sample.shapes import SHAPES
from sslcore.evaluation.knn import knn_accuracy
from sslcore.methods import METHODS, Method, Progress, method_class

NUM_PICTURES = 128
BATCH = 64
NOT_SHOWN: dict[str, str] = {
    "ijepa": "0.766 to between 0.616 and 0.831, as settings go: not surely above the margin"
}
"""Methods this run does not show to learn. A gap, not a verdict."""
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


@pytest.mark.parametrize("name", [name for name in METHODS if name not in NOT_SHOWN])
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
