"""Several processes started by the stage itself: one writer, one voice, restarts, and a stop from outside."""

import logging
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from sslcore.backbones import load_backbone
from sslcore.config import PretrainConfig
from sslcore.errors import TrainingInterrupted, UserError
from sslcore.monitor import SilentMonitor
from sslcore.training.pretrain import pretrain

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

TINY: Mapping[str, Any] = {
    "backbone": "resnet10-small",
    "image_size": 16,
    "epochs": 4,
    "batch_size": 6,
    "num_workers": 0,
    "precision": "fp32",
    "device": "cpu",
    "num_processes": 2,
    "checkpoint_every_steps": 4,
}


class Ears(SilentMonitor):
    """Hears the steps, and does something once, after one of them."""

    def __init__(self, at: int = -1, do: Any = None) -> None:
        self.at, self.do = at, do
        self.steps: list[int] = []
        self.rows: list[Mapping[str, float]] = []

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        self.steps.append(done)
        if done == self.at:
            self.at = -1
            threading.Thread(target=self.do).start()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append(values)


def run(dataset: Path, tmp_path: Path, ears: Ears, **settings: Any) -> Path:
    output = tmp_path / f"output-{len(list(tmp_path.iterdir()))}"
    output.mkdir()
    config = PretrainConfig(**{**TINY, **settings})
    checkpoints = tmp_path / "checkpoints"
    pretrain(config, dataset=dataset, output=output, monitor=ears, checkpoints=checkpoints)
    return output


def kill_one() -> None:
    """SIGKILL a training process: the youngest ones are those of torchrun's agent."""
    ours = [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]
    max(ours, key=lambda each: each.pid).kill()


def test_when_one_is_killed_all_go_on_from_the_checkpoint(
    make_dataset: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = make_dataset(40)
    caplog.set_level(logging.INFO)
    ears = Ears(7, kill_one)
    output = run(dataset, tmp_path, ears, epochs=8)
    assert load_backbone(output)[1].method == "simclr"
    assert sorted(set(ears.steps)) == list(range(1, 8 * 5 + 1))
    assert "going on after step" in caplog.text
    assert ears.steps.count(3) == 1
    assert caplog.text.count("failed (exitcode") == 1  # the one that was killed; all found each other again
    assert {"loss", "knn_accuracy", "images_per_second"} <= set(ears.rows[-1])


def test_sigterm_reaches_them_and_they_go_on_later(make_dataset: Any, tmp_path: Path) -> None:
    dataset, before = make_dataset(40), signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingInterrupted):
        run(dataset, tmp_path, Ears(6, lambda: os.kill(os.getpid(), signal.SIGTERM)), epochs=40)
    assert signal.getsignal(signal.SIGTERM) == before
    assert list((tmp_path / "checkpoints").glob("step-*.pt"))


def test_the_users_mistake_comes_back_as_it_is(make_dataset: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'simclr'"):
        run(make_dataset(40), tmp_path, Ears(), method="simcrl")
