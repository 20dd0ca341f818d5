"""Pretraining without a workspace, as torchrun starts it."""

import os
from pathlib import Path
from typing import Any

import pytest

from sslcore.backbones import load_backbone
from sslcore.errors import TrainingInterrupted
from sslcore.training import __main__ as module
from sslcore.training.__main__ import main

PARAMS = """
ingest: {source: nowhere}
pretrain:
  {backbone: resnet10-small, image_size: 16, batch_size: 8, num_workers: 0, precision: fp32, device: cpu}
"""


@pytest.fixture
def words(make_dataset: Any, tmp_path: Path) -> list[str]:
    (tmp_path / "params.yaml").write_text(PARAMS)
    places = ["--dataset", str(make_dataset(20)), "--output", str(tmp_path / "out")]
    return [str(tmp_path / "params.yaml"), *places, "--checkpoints", str(tmp_path / "kept")]


def test_it_trains_what_params_yaml_says_with_what_is_set(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--set", "pretrain.epochs=1"]) == 0
    assert load_backbone(tmp_path / "out")[1].config["epochs"] == 1


def test_a_mistake_is_one_line_and_code_2(
    words: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main([*words, "--set", "pretrain.epoch=1"]) == 2
    assert "did you mean 'epochs'" in caplog.text
    (tmp_path / "out" / "something").write_text("")
    assert main(words) == 2
    assert "out is not empty: name a new folder for the backbone" in caplog.text


def test_what_can_be_gone_on_with_is_code_75(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise TrainingInterrupted("stopped by SIGTERM after 3 of 9 steps")

    monkeypatch.setattr(module, "pretrain", stopped)
    assert main(words) == os.EX_TEMPFAIL
