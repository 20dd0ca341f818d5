"""A run that is killed at any step and started again gives the same bits as one that never was."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sslcore.config import PretrainConfig
from sslcore.errors import TrainingInterrupted, UserError
from sslcore.monitor import SilentMonitor
from sslcore.training.pretrain import pretrain

pytestmark = pytest.mark.slow

TINY: Mapping[str, Any] = {
    "backbone": "resnet10-small",
    "image_size": 16,
    "epochs": 3,
    "batch_size": 6,
    "num_workers": 0,
    "precision": "fp32",
    "device": "cpu",
    "eval_every_epochs": 1,
    "ema_decay": 0.5,
    "checkpoint_every_steps": 2,
}

SCRIPT = """
import json, os, signal, sys
from pathlib import Path
import torch
from sslcore.config import PretrainConfig
from sslcore.monitor import SilentMonitor
from sslcore.training.pretrain import pretrain

settings, dataset, output, checkpoints, losses, kill_at = json.loads(sys.argv[1])
torch.set_num_threads(1)

class Diary(SilentMonitor):
    def progress(self, done, total, unit, **figures):
        with open(losses, "a") as file:
            file.write(json.dumps([done, figures["loss"]]) + "\\n")
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

pretrain(PretrainConfig(**settings), dataset=Path(dataset), output=Path(output), monitor=Diary(),
         checkpoints=Path(checkpoints))
"""


def start(settings: Mapping[str, Any], dataset: Path, place: Path, kill_at: int) -> "subprocess.Popen[bytes]":
    output = place / f"output-{kill_at}"
    output.mkdir(parents=True)
    given = [dict(settings), *map(str, (dataset, output, place / "checkpoints", place / "losses")), kill_at]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, json.dumps(given)], env=dict(os.environ))


def losses_of(place: Path) -> list[tuple[int, float]]:
    return [tuple(json.loads(line)) for line in (place / "losses").read_text().splitlines()]


@pytest.mark.parametrize(
    "settings",
    [
        {**TINY, "method_options": {"temperature": 0.2}},
        {**TINY, "cache_megabytes": 0, "num_workers": 1, "optimizer": "adamw", "accumulate": 2},
    ],
    ids=["from memory", "from the store"],
)
def test_killed_at_random_steps_it_goes_on_to_the_bit(
    settings: Mapping[str, Any], make_dataset: Any, tmp_path: Path
) -> None:
    dataset = make_dataset(40)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    uninterrupted = start(settings, dataset, whole, -1)
    generator = np.random.default_rng()
    for kill_at in sorted(int(step) for step in generator.choice(np.arange(1, 15), 2, replace=False)):
        assert start(settings, dataset, killed, kill_at).wait() == -signal.SIGKILL, kill_at
    assert start(settings, dataset, killed, -1).wait() == 0
    assert uninterrupted.wait() == 0
    expected = dict(losses_of(whole))
    assert len(expected) == 15
    assert {step for step, _ in losses_of(killed)} == set(expected)
    assert [(step, loss) for step, loss in losses_of(killed) if loss != expected[step]] == []
    for name in ("backbone.safetensors", "history.csv", "model.json"):
        assert (killed / "output--1" / name).read_bytes() == (whole / "output--1" / name).read_bytes()


class At(SilentMonitor):
    """Sends a signal to this process after a step."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.losses: list[float] = []

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        self.losses.append(figures["loss"])
        if done == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_writes_a_checkpoint_that_the_same_command_goes_on_from(
    make_dataset: Any, tmp_path: Path
) -> None:
    config = PretrainConfig(**{**TINY, "epochs": 2, "checkpoint_every_steps": None})
    dataset, before = make_dataset(40), signal.getsignal(signal.SIGTERM)
    never, first, second = At(-1), At(3), At(-1)
    for name in ("never", "stopped"):
        (tmp_path / name).mkdir()
    pretrain(config, dataset=dataset, output=tmp_path / "never", monitor=never)
    places = {"dataset": dataset, "output": tmp_path / "stopped", "checkpoints": tmp_path / "checkpoints"}
    with pytest.raises(TrainingInterrupted, match="after 3 of 10 steps; a checkpoint is written"):
        pretrain(config, monitor=first, **places)
    assert signal.getsignal(signal.SIGTERM) == before
    assert list((tmp_path / "stopped").iterdir()) == []
    pretrain(config, monitor=second, **places)
    assert first.losses + second.losses == never.losses
    weights = [(tmp_path / name / "backbone.safetensors").read_bytes() for name in ("never", "stopped")]
    assert weights[0] == weights[1]


def test_a_changed_setting_never_goes_on_from_anothers_checkpoint(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset(20)
    with pytest.raises(TrainingInterrupted):
        run(dataset, tmp_path, At(1), {})
    with pytest.raises(
        UserError, match=r"was made with pretrain.lr None, here it is 0.5: go on with the same"
    ):
        run(dataset, tmp_path, At(-1), {"lr": 0.5})
    run(dataset, tmp_path, At(-1), {"num_workers": 1, "keep_checkpoints": 3})


def run(dataset: Path, tmp_path: Path, monitor: At, changed: Mapping[str, Any]) -> None:
    output = tmp_path / f"output-{len(list(tmp_path.iterdir()))}"
    output.mkdir()
    config = PretrainConfig(**{**TINY, "epochs": 1, **changed})
    pretrain(config, dataset=dataset, output=output, monitor=monitor, checkpoints=tmp_path / "checkpoints")
