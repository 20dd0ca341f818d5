"""A pretraining that was stopped keeps its checkpoints and can go on; one that is done has none left."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flows.cli import main
from sslcore.config import Params
from sslcore.errors import TrainingInterrupted
from tasks import stage as module
from tasks.fingerprints import checkpoint_key, plan_stage
from tasks.launch import StageFailed, launch
from tasks.stage import read_outcome, run_stage
from tasks.steps import Surroundings
from tasks.workspace import Workspace

Put = Callable[[str], None]
DATASET = '{"fingerprint": "f", "source": "pictures", "num_samples": 1, "num_labelled": 0}'


@dataclass
class Report:
    summary: str = "trained"
    figures: dict[str, float] = field(default_factory=dict)


class Stub:
    """A pretraining that writes a checkpoint, and is stopped the first time."""

    def __init__(self) -> None:
        self.places: list[Path] = []
        self.found: list[bool] = []

    def __call__(self, params: Params, given: Surroundings) -> Report:
        place = given.checkpoints(params)
        self.places.append(place)
        self.found.append(place.exists())
        if not place.exists():
            place.mkdir(parents=True)
            raise TrainingInterrupted("stopped by SIGTERM after 3 of 9 steps")
        (given.output / "model.json").write_text("{}")
        return Report()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    made = Stub()
    monkeypatch.setattr(module, "STEPS", {"pretrain": made})
    monkeypatch.setattr(module, "_to_registry", lambda *_: None)
    return made


@pytest.fixture
def workspace(make_workspace: Callable[[str], Workspace]) -> Workspace:
    made = make_workspace("w")
    (made.root / ".dvc").mkdir()
    (made.root / "dvc.yaml").write_text("stages: {}\n")
    (made.root / "data" / "dataset").mkdir(parents=True)
    (made.root / "data" / "dataset" / "dataset.json").write_text(DATASET)
    return made


def test_what_was_stopped_goes_on_and_leaves_nothing_when_it_is_done(
    stub: Stub, workspace: Workspace
) -> None:
    with pytest.raises(TrainingInterrupted):
        run_stage("pretrain", workspace=workspace)
    outcome = read_outcome(workspace, "pretrain")
    assert outcome is not None
    assert (outcome.status, outcome.error) == ("interrupted", "stopped by SIGTERM after 3 of 9 steps")
    assert not (workspace.root / "models" / "backbone").exists()
    assert run_stage("pretrain", workspace=workspace).status == "done"
    assert stub.found == [False, True]
    assert stub.places[0] == stub.places[1]
    assert stub.places[0].parent == workspace.state / "checkpoints"
    assert not stub.places[0].exists()


def test_the_command_leaves_with_the_code_for_try_again(
    stub: Stub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    assert main(["pretrain"]) == os.EX_TEMPFAIL == 75
    assert main(["pretrain"]) == 0


def test_another_setting_or_data_set_has_checkpoints_of_its_own(workspace: Workspace) -> None:
    def key(*overrides: str) -> str:
        return checkpoint_key(workspace.params(overrides), plan_stage(workspace, "pretrain"))

    first = key()
    assert key("pretrain.lr=0.1") != first
    assert key("pretrain.num_workers=9", "pretrain.keep_checkpoints=5") == first
    (workspace.root / "data" / "dataset" / "dataset.json").write_text(DATASET.replace('"f"', '"other"'))
    assert key() != first


def test_a_launch_takes_an_interruption_for_something_that_may_pass(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = (
        '{"stage": "pretrain", "status": "interrupted", "summary": "", "error": "stopped by SIGTERM", '
        '"seconds": 1.0, "output": ".", "mlflow_run_id": null}'
    )
    (workspace.state / "outcomes").mkdir()
    script = f"echo '{outcome}' > .state/outcomes/pretrain.json; exit 75"
    monkeypatch.setattr("tasks.launch._directly", lambda *_: ["/bin/sh", "-c", script])
    with pytest.raises(StageFailed, match="pretrain was interrupted: stopped by SIGTERM") as caught:
        launch("pretrain", workspace=workspace.root, overrides=["pretrain.epochs=3"], log=lambda line: None)
    assert caught.value.may_pass
