"""One run per stage under one parent; a tracking server that is down loses nothing."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import registry
from tasks.fingerprints import plan_stage
from tasks.tracking import Tracker, connect, send_kept
from tasks.workspace import Workspace

Make = Callable[[str], Workspace]
NOBODY_LISTENS = "http://127.0.0.1:9"


def track(workspace: Workspace, stage: str = "ingest") -> Tracker:
    return Tracker(workspace, workspace.params(), plan_stage(workspace, stage))


def add_dataset(workspace: Workspace) -> None:
    (workspace.root / "data/dataset").mkdir(parents=True)
    (workspace.root / "data/dataset/dataset.json").write_text(
        '{"fingerprint": "f", "source": "s", "num_samples": 1, "num_labelled": 0}'
    )


def finish(tracker: Tracker, folder: Path) -> None:
    (folder / "note.json").write_text("{}")
    tracker.metrics(1, {"loss": 2.0})
    tracker.metrics(2, {"loss": 1.5})
    tracker.finish("FINISHED", {"num_samples": 7}, [folder / "note.json", folder / "missing.json"])


def test_a_stage_is_a_run_with_its_settings_metrics_and_files(make_workspace: Make, tmp_path: Path) -> None:
    workspace = make_workspace("w")
    tracker = track(workspace)
    finish(tracker, tmp_path)
    client = connect(workspace)
    assert tracker.run_id is not None
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["ingest.source"] == "pictures"
    assert [each.value for each in client.get_metric_history(tracker.run_id, "loss")] == [2.0, 1.5]
    assert run.data.metrics["num_samples"] == 7
    assert [each.path for each in client.list_artifacts(tracker.run_id)] == ["note.json"]


def test_stages_of_one_pipeline_share_a_parent(
    make_workspace: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace("w")
    parents = []
    for key in ("first", "first", "second"):
        monkeypatch.setenv("SSLFLOW_PIPELINE", key)
        tracker = track(workspace)
        finish(tracker, tmp_path)
        run = connect(workspace).get_run(str(tracker.run_id))
        parents.append(run.data.tags["mlflow.parentRunId"])
    assert parents[0] == parents[1] != parents[2]
    parent = connect(workspace).get_run(parents[0])
    assert parent.data.metrics["ingest.num_samples"] == 7
    assert parent.info.status == "FINISHED"


def test_an_interrupted_training_goes_on_in_its_own_run(
    make_workspace: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace("w")
    add_dataset(workspace)
    monkeypatch.setenv("SSLFLOW_PIPELINE", "first")
    stopped = track(workspace, "pretrain")
    stopped.metrics(1, {"loss": 2.0})
    stopped.finish("KILLED", {}, [])
    monkeypatch.setenv("SSLFLOW_PIPELINE", "second")
    going_on = track(workspace, "pretrain")
    assert going_on.run_id == stopped.run_id
    going_on.metrics(2, {"loss": 1.5})
    finish(going_on, tmp_path)
    client = connect(workspace)
    run = client.get_run(str(going_on.run_id))
    assert run.info.status == "FINISHED"
    assert {each.step for each in client.get_metric_history(run.info.run_id, "loss")} == {1, 2}
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.data.tags["sslflow.pipeline"] == "second"
    assert track(workspace, "pretrain").run_id != stopped.run_id  # that one is finished
    text = workspace.params_file.read_text()
    workspace.params_file.write_text(text + "pretrain: {lr: 0.5}\n")
    assert track(workspace, "pretrain").run_id not in (stopped.run_id, None)


def test_what_is_logged_while_the_server_is_down_is_sent_later(
    make_workspace: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = make_workspace("w")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY_LISTENS)
    with caplog.at_level(logging.WARNING):
        finish(track(workspace), tmp_path)
    assert "the record is kept and the next stage sends it" in caplog.text
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    client = connect(workspace)
    assert send_kept(workspace, client) == 1
    experiments = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.`sslflow.stage` = 'ingest'")
    assert [each.value for each in client.get_metric_history(run.info.run_id, "loss")] == [2.0, 1.5]
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["note.json"]
    assert send_kept(workspace, client) == 0


def test_a_backbone_that_the_registry_did_not_take_is_registered_later(
    make_workspace: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace("w")
    add_dataset(workspace)
    folder = workspace.root / "models" / "backbone"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    tracker = track(workspace, "pretrain")
    tracker.finish("FINISHED", {}, [])
    with tracker.answering("write to the registry"):
        raise OSError("no room")
    tracker.keep_backbone()
    client, sent = connect(workspace), []
    monkeypatch.setattr(registry, "register", lambda _, run_id, path: sent.append((run_id, path.is_dir())))
    assert send_kept(workspace, client) == 1
    assert sent == [(tracker.run_id, True)]
    assert send_kept(workspace, client) == 0
    experiments = [each.experiment_id for each in client.search_experiments()]
    assert len(client.search_runs(experiments, "tags.`sslflow.stage` = 'pretrain'")) == 1


def test_two_workspaces_in_one_process_keep_to_their_own_stores(make_workspace: Make, tmp_path: Path) -> None:
    for name in ("a", "b"):
        finish(track(make_workspace(name)), tmp_path)
    for name in ("a", "b"):
        client = connect(Workspace(tmp_path / name))
        experiments = [each.experiment_id for each in client.search_experiments()]
        assert len(client.search_runs(experiments, "tags.`sslflow.stage` = 'ingest'")) == 1


def test_the_data_set_is_an_input_of_the_run(make_workspace: Make, tmp_path: Path) -> None:
    workspace = make_workspace("w")
    dataset = workspace.root / "data" / "dataset"
    dataset.mkdir(parents=True)
    info = '{"fingerprint": "abc", "num_samples": 5, "num_labelled": 0, "source": "pictures"}'
    (dataset / "dataset.json").write_text(info)
    tracker = track(workspace, "pretrain")
    finish(tracker, tmp_path)
    inputs = connect(workspace).get_run(str(tracker.run_id)).inputs
    assert inputs is not None
    (entry,) = inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("data/dataset", "abc")
