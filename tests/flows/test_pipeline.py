"""The flow, DVC and the stages agree on what is up to date."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL
from prefect.utilities.engine import propose_state_sync

from flows.pipeline import pipeline
from flows.run import outcomes_of, run_pipeline
from sslcore.errors import SslflowError, UserError
from tasks.stage import StageOutcome
from tasks.tracking import connect
from tasks.workspace import STAGES, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

Make = Callable[[str], Workspace]


def run_flow(workspace: Workspace, **parameters: Any) -> list[StageOutcome]:
    return outcomes_of(pipeline, workspace=str(workspace.root), **parameters)


def statuses(outcomes: list[StageOutcome]) -> dict[str, str]:
    return {outcome.stage: outcome.status for outcome in outcomes}


def manifest_of(workspace: Workspace) -> pd.DataFrame:
    return pd.read_parquet(workspace.root / "data" / "dataset" / "manifest.parquet").set_index("filename")


@pytest.fixture(scope="module")
def flown(make_small_workspace: Make, prefect_server: None) -> tuple[Workspace, dict[str, str]]:
    workspace = make_small_workspace("flown")
    return workspace, statuses(run_flow(workspace))


def test_a_first_flow_runs_all_six_stages(flown: tuple[Workspace, dict[str, str]]) -> None:
    workspace, first = flown
    assert first == dict.fromkeys(STAGES, "done")
    assert (workspace.root / "reports" / "index.html").is_file()
    measured = json.loads((workspace.root / "metrics" / "evaluate.json").read_text())
    assert set(measured["knn"]) >= {"backbone", "random_weights", "raw_pixels"}


def test_after_a_flow_dvc_and_the_flow_find_nothing_to_do(
    flown: tuple[Workspace, dict[str, str]], command: Any
) -> None:
    workspace, _ = flown
    done = command(workspace.root, "dvc", "repro")
    assert done.returncode == 0
    assert "Running stage" not in done.stdout
    assert command(workspace.root, "dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    assert statuses(run_flow(workspace)) == dict.fromkeys(STAGES, "unchanged")


def test_the_command_says_so_without_starting_prefect(
    flown: tuple[Workspace, dict[str, str]], command: Any
) -> None:
    done = command(flown[0].root, "sslflow", "run", "--json")
    assert {each["stage"]: each["status"] for each in json.loads(done.stdout)} == dict.fromkeys(
        STAGES, "unchanged"
    )
    assert "temporary server" not in done.stderr


def test_a_flow_is_one_parent_run_with_a_run_per_stage(flown: tuple[Workspace, dict[str, str]]) -> None:
    client = connect(flown[0])
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    (parent,) = [run for run in runs if run.data.tags["sslflow.stage"] == "pipeline"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.data.tags["sslflow.stage"] for run in children} == set(STAGES)
    (trained,) = [run for run in children if run.data.tags["sslflow.stage"] == "pretrain"]
    assert trained.inputs is not None
    digest = trained.inputs.dataset_inputs[0].dataset.digest
    assert digest == trained.data.tags["dvc.data/dataset"]
    assert digest.endswith(".dir")


def test_the_first_backbone_is_champion_under_both_names(flown: tuple[Workspace, dict[str, str]]) -> None:
    client = connect(flown[0])
    for name in ("sslflow-backbone", "sslflow-embedder"):
        aliases = client.get_registered_model(name).aliases
        assert {alias: str(version) for alias, version in aliases.items()} == {
            "challenger": "1",
            "champion": "1",
        }


def test_an_override_run_touches_neither_params_nor_lock(
    flown: tuple[Workspace, dict[str, str]],
) -> None:
    workspace, _ = flown
    kept = {name: (workspace.root / name).read_bytes() for name in ("params.yaml", "dvc.lock", "dvc.yaml")}
    overrides = {"select": {"budget": 3}}
    first = run_flow(workspace, overrides=overrides)
    assert [statuses(first)[stage] for stage in ("evaluate", "select", "report")] == [
        "unchanged",
        "done",
        "done",
    ]
    picked = pd.read_parquet(workspace.root / first[4].output / "data" / "selection" / "selection.parquet")
    assert len(picked) == 3
    assert {name: (workspace.root / name).read_bytes() for name in kept} == kept
    assert statuses(run_flow(workspace, overrides=overrides)) == dict.fromkeys(STAGES, "unchanged")


def test_a_mistake_fails_the_flow_with_one_line(flown: tuple[Workspace, dict[str, str]]) -> None:
    workspace, _ = flown
    with pytest.raises(UserError, match="source nowhere does not exist"):
        run_flow(workspace, source="nowhere")
    with workspace.lock(), pytest.raises(UserError, match="is in use by"):
        run_flow(workspace)


@pytest.fixture
def forgetful_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers too late (its database is locked): the state comes back without its data."""

    def forget(*args: Any, **kwargs: Any) -> Any:
        state = propose_state_sync(*args, **kwargs)
        return state.model_copy(update={"data": None})

    monkeypatch.setattr("prefect.flow_engine.propose_state_sync", forget)
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())  # the command starts a flow at all


@pytest.mark.usefixtures("forgetful_server")
def test_a_state_that_the_server_gives_back_empty_loses_no_outcome(
    flown: tuple[Workspace, dict[str, str]],
) -> None:
    workspace, _ = flown
    assert statuses(run_pipeline(workspace.root)) == dict.fromkeys(STAGES, "unchanged")
    with pytest.raises(SslflowError, match="source nowhere does not exist"):
        run_flow(workspace, source="nowhere")


def test_one_image_added_and_one_truncated(flown: tuple[Workspace, dict[str, str]], tmp_path: Path) -> None:
    workspace, _ = flown
    before = manifest_of(workspace)
    images = sorted(each for each in before.index if each.endswith(".jpg"))
    pictures = workspace.root.parent / "pictures"
    broken = pictures / images[0]
    broken.write_bytes(broken.read_bytes()[:200])
    shutil.copyfile(pictures / images[1], tmp_path / "copy.jpg")
    (pictures / "added.jpg").write_bytes((tmp_path / "copy.jpg").read_bytes() + b"\0")
    assert statuses(run_flow(workspace)) == dict.fromkeys(STAGES, "done")
    after = manifest_of(workspace)
    assert set(before.index) - set(after.index) == {images[0]}
    assert set(after.index) - set(before.index) == {"added.jpg"}
    same = before.index.intersection(after.index)
    columns = ["sample_id", "shard", "row", "split"]
    pd.testing.assert_frame_equal(before.loc[same, columns], after.loc[same, columns])
    quarantine = pd.read_parquet(workspace.root / "data" / "dataset" / "quarantine.parquet").set_index("path")
    assert quarantine.loc[images[0], "reason"] == "truncated"
    assert statuses(run_flow(workspace)) == dict.fromkeys(STAGES, "unchanged")


def test_after_dvc_repro_the_flow_finds_nothing_to_do(make_small_workspace: Make, command: Any) -> None:
    workspace = make_small_workspace("reproduced")
    done = command(workspace.root, "dvc", "repro")
    assert done.returncode == 0, done.stderr
    assert statuses(run_flow(workspace)) == dict.fromkeys(STAGES, "unchanged")
    before = (workspace.root / "models" / "backbone" / "model.json").read_bytes()
    text = workspace.params_file.read_text()
    workspace.params_file.write_text(text.replace("  epochs: 1", "  epochs: 1\n  epoch: 2"))
    done = command(workspace.root, "dvc", "repro")
    assert done.returncode != 0
    assert "error: params.yaml: unknown key 'pretrain.epoch'; did you mean 'epochs'?" in done.stderr
    assert (workspace.root / "models" / "backbone" / "model.json").read_bytes() == before
