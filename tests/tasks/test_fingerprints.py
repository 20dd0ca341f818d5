"""Override runs go to runs/FINGERPRINT/, and only the stages that they touch."""

from pathlib import Path

import pytest

from sslcore.config import parse_params
from sslcore.errors import UserError
from tasks.fingerprints import WHOLE, affected_stages, plan_stage
from tasks.workspace import STAGES, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "params.yaml").write_text("ingest: {source: pictures}\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "data" / "dataset" / "shards").mkdir(parents=True)
    (tmp_path / "data" / "dataset" / "dataset.json").write_text("{}")
    return Workspace(tmp_path)


@pytest.mark.parametrize(
    ("section", "affected"),
    [
        ({"ingest": {"source": "other"}}, {"ingest", "pretrain", "embed", "evaluate", "select", "report"}),
        ({"pretrain": {"epochs": 1}}, {"pretrain", "embed", "evaluate", "select", "report"}),
        ({"select": {"budget": 1}}, {"select", "report"}),
        ({"pretrain": {"epochs": 100}}, set()),
    ],
)
def test_an_override_touches_its_stage_and_all_that_read_it(
    section: dict[str, object], affected: set[str]
) -> None:
    before = parse_params({"ingest": {"source": "pictures"}}, where="")
    after = parse_params({"ingest": {"source": "pictures"}} | section, where="")
    assert affected_stages(before, after) == affected


def test_without_overrides_a_stage_works_in_the_workspace(workspace: Workspace) -> None:
    plan = plan_stage(workspace, "pretrain")
    assert plan.root == workspace.root
    assert plan.fingerprint is None
    assert not plan.is_whole


def test_an_override_that_changes_nothing_is_none(workspace: Workspace) -> None:
    assert plan_stage(workspace, "pretrain", ["pretrain.epochs=100"]).root == workspace.root


def test_an_override_run_reads_from_the_workspace_what_it_does_not_touch(workspace: Workspace) -> None:
    plan = plan_stage(workspace, "pretrain", ["pretrain.epochs=3"])
    assert plan.root.parent == workspace.root / "runs"
    assert plan.place("ingest") == workspace.root / "data" / "dataset"
    assert plan.place("pretrain") == plan.root / "models" / "backbone"


def test_the_fingerprint_follows_settings_and_inputs(workspace: Workspace) -> None:
    def of(override: str) -> str | None:
        return plan_stage(workspace, "pretrain", [override]).fingerprint

    first = of("pretrain.epochs=3")
    assert of("pretrain.epochs=3") == first
    assert of("pretrain.epochs=4") != first
    (workspace.root / "data" / "dataset" / "dataset.json").write_text('{"changed": 1}')
    assert of("pretrain.epochs=3") != first


def test_a_new_photograph_changes_the_fingerprint_of_ingest(workspace: Workspace) -> None:
    before = plan_stage(workspace, "ingest", ["ingest.frames=all"]).fingerprint
    (workspace.root / "pictures" / "new.jpg").write_bytes(b"x")
    assert plan_stage(workspace, "ingest", ["ingest.frames=all"]).fingerprint != before


def test_a_stage_whose_upstream_was_not_run_with_the_override_says_what_to_type(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="type 'sslflow pretrain --set pretrain.epochs=3' first"):
        plan_stage(workspace, "embed", ["pretrain.epochs=3"])


def test_a_stage_reads_its_upstream_where_the_override_put_it(workspace: Workspace) -> None:
    upstream = plan_stage(workspace, "pretrain", ["pretrain.epochs=3"])
    upstream.root.mkdir(parents=True)
    (upstream.root / WHOLE).write_text("{}")
    assert plan_stage(workspace, "pretrain", ["pretrain.epochs=3"]).is_whole
    plan = plan_stage(workspace, "embed", ["pretrain.epochs=3"])
    assert plan.place("pretrain") == upstream.root / "models" / "backbone"
    assert plan.root != upstream.root


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_plan_in_the_workspace(workspace: Workspace, stage: str) -> None:
    assert plan_stage(workspace, stage).root == workspace.root
