"""A method inside a real Trainer gives the losses of the plain loop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from sslcore.augment import build_views
from sslcore.backbones import build_backbone
from sslcore.errors import NotLearningError
from sslcore.methods import METHODS, Method, SimCLR, method_class
from sslcore.training.lightning import LightningMethod
from sslcore.training.loop import Length, Parts, train
from sslcore.training.optimizers import build_optimizer
from sslcore.training.precision import Precision
from sslcore.training.schedules import Schedule

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
    pytest.mark.filterwarnings("ignore:.*GPU available"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

EPOCHS, BATCH = 2, 6
IMAGES = torch.randint(0, 256, (24, 3, 18, 18), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
NAMES = [name for name in ("simclr", "byol", "mocov2") if name in METHODS]


class Losses(Callback):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, *_: object
    ) -> None:
        assert isinstance(outputs, dict)
        self.seen.append(float(outputs["loss"]))


def make(name: str) -> Method:
    torch.manual_seed(0)
    cls = method_class(name)
    method: Method = cls(build_backbone("resnet10-small", image_size=16, seed=0))
    return method.train()


def fit(module: LightningMethod, folder: Path, **settings: object) -> list[float]:
    losses = Losses()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[losses],
        **settings,  # type: ignore[arg-type]
    )
    # A generator of its own: a loader draws from the global one, which shuffles MoCo's keys.
    loader = DataLoader(TensorDataset(IMAGES), batch_size=BATCH, generator=torch.Generator())
    torch.manual_seed(1)
    trainer.fit(module, loader)
    return losses.seen


@pytest.mark.parametrize("name", NAMES)
def test_the_trainer_gives_the_losses_of_the_plain_loop(name: str, tmp_path: Path) -> None:
    views = build_views("simclr-small", image_size=16)
    settings: dict[str, Any] = {"lr": 0.05, "weight_decay": 1e-3}
    module = LightningMethod(make(name), views, batch_size=BATCH, optimizer="sgd", seed=3, **settings)
    seen = fit(module, tmp_path)
    method = make(name)
    optimizer = build_optimizer("sgd", method, **settings)

    def batches(epoch: int, done: int) -> Iterator[Tensor]:
        return iter(torch.split(IMAGES, BATCH)[done:])

    precision = Precision(torch.float32, torch.device("cpu"))
    parts = Parts(method, views, optimizer, Schedule(optimizer, warmup_epochs=10), precision, seed=3)
    length = Length(EPOCHS * len(IMAGES) // BATCH, len(IMAGES) // BATCH)
    torch.manual_seed(1)
    assert seen == [float(step.loss_and_norm[0]) for step in train(parts, batches, length)]
    for (key, ours), theirs in zip(
        method.state_dict().items(), module.method.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), key


def test_a_loss_that_is_not_finite_stops_the_trainer(tmp_path: Path) -> None:
    views = build_views("simclr-small", image_size=16)
    module = LightningMethod(make("simclr"), views, batch_size=BATCH, optimizer="sgd", lr=1e30)
    with pytest.raises(NotLearningError, match=r"the loss is (nan|inf) at step"):
        fit(module, tmp_path)


def test_accumulated_parts_make_one_step(tmp_path: Path) -> None:
    module = LightningMethod(
        SimCLR(build_backbone("resnet10-small", image_size=16, seed=0)),
        build_views("simclr-small", image_size=16),
        batch_size=2 * BATCH,
    )
    steps: list[int] = []
    module.method.after_step = lambda progress: steps.append(progress.step)  # type: ignore[method-assign]
    fit(module, tmp_path, accumulate_grad_batches=2)
    assert steps == [0, 1, 2, 3]
