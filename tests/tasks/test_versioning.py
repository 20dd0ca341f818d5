"""Workspaces as DVC sees them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import yaml
from fsspec.implementations.memory import MemoryFileSystem

from sslcore.config import read_params
from sslcore.errors import UserError
from tasks.dvc_process import dvc_command, dvc_environment, explain, skip_reason
from tasks.versioning import (
    LISTING,
    check_source_dep,
    create_workspace,
    hide_unreadable,
    refresh_listing,
    set_source,
)
from tasks.workspace import INPUTS, OUTPUTS, STAGES, Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    create_workspace(tmp_path / "w", str(tmp_path / "pictures"))
    return tmp_path / "w"


def deps_of(root: Path) -> list[str] | None:
    deps: list[str] | None = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["ingest"].get("deps")
    return deps


def dvc(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        dvc_command(*words), cwd=root, env=dvc_environment(), capture_output=True, text=True
    )


def test_a_new_workspace_is_one_that_dvc_understands(root: Path) -> None:
    assert Workspace.find(root).params().ingest.source == str(root.parent / "pictures")
    done = dvc(root, "stage", "list", "--name-only")
    assert sorted(done.stdout.split()) == sorted(STAGES)
    config = (root / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config
    assert "analytics_enabled = false" in (root / "prefect.toml").read_text()


def test_params_yaml_shows_every_setting_with_its_default(root: Path) -> None:
    shown = yaml.safe_load((root / "params.yaml").read_text())
    params = read_params(root / "params.yaml")
    assert shown == params.model_dump(mode="json")


def test_dvc_yaml_says_what_the_stages_read_and_write(root: Path) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    assert tuple(stages) == STAGES
    for name, stage in stages.items():
        assert (stage["cmd"], stage["params"]) == (f"sslflow {name}", [name])
        written = [next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"]]
        assert {*written, *stage.get("metrics", [])} == set(OUTPUTS[name].values())
        read = {place for upstream in INPUTS[name] for place in OUTPUTS[upstream].values()}
        labels = {"data/labels"} if name in ("evaluate", "select", "report") else set()
        assert {dep for dep in stage["deps"] if not dep.startswith("$")} == read | labels


def test_a_workspace_is_not_made_twice(root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    with pytest.raises(UserError, match="is a workspace already"):
        create_workspace(root)
    assert (root / "params.yaml").read_bytes() == before


def test_a_source_keeps_the_comments_and_is_seen_by_dvc(root: Path) -> None:
    comments = [line for line in (root / "params.yaml").read_text().splitlines() if "#" in line]
    set_source(root, "torchvision:FakeData?size=3")
    assert deps_of(root) is None
    check_source_dep(root, Workspace(root).params())
    set_source(root, str(root.parent / "pictures"))
    assert deps_of(root) == ["${ingest.source}"]
    assert [line for line in (root / "params.yaml").read_text().splitlines() if "#" in line] == comments


def test_a_source_that_is_not_there_changes_nothing(root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    with pytest.raises(UserError, match="source nowhere does not exist"):
        set_source(root, "nowhere")
    assert (root / "params.yaml").read_bytes() == before


def test_a_source_changed_by_hand_into_no_path_says_how_to_mend_dvc_yaml(root: Path) -> None:
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace(str(root.parent / "pictures"), "torchvision:FakeData"))
    with pytest.raises(UserError, match="type 'sslflow run --source torchvision:FakeData' to put it right"):
        check_source_dep(root, Workspace(root).params())


def test_a_source_that_went_away_is_said_before_anything_starts(root: Path) -> None:
    (root.parent / "pictures").rmdir()
    with pytest.raises(UserError, match="does not exist; name another with 'sslflow run --source S'"):
        check_source_dep(root, Workspace(root).params())


def test_a_broken_link_does_not_stop_dvc(tmp_path: Path) -> None:
    create_workspace(tmp_path / "w")
    source = tmp_path / "w" / "data" / "source"
    (source / "link.jpg").symlink_to(tmp_path / "nowhere")
    assert hide_unreadable(tmp_path / "w", "data/source") == ["data/source/link.jpg"]
    assert dvc(tmp_path / "w", "status", "ingest").returncode == 0
    (source / "link.jpg").unlink()
    assert hide_unreadable(tmp_path / "w", "data/source") == []
    assert "link.jpg" not in (tmp_path / "w" / ".dvcignore").read_text()


def test_a_missing_source_is_explained_in_one_line(root: Path) -> None:
    (root.parent / "pictures").rmdir()
    done = dvc(root, "repro", "--single-item", "ingest")
    line = explain(done.stderr.splitlines(), root=root)
    assert line is not None
    assert "pictures" in line
    assert "\n" not in line


def test_dvcs_words_for_skipping_are_understood() -> None:
    assert skip_reason(["Stage 'embed' didn't change, skipping"], "embed") == "unchanged"
    assert (
        skip_reason(["Stage 'embed' is cached - skipping run, checking out outputs"], "embed") == "restored"
    )
    assert skip_reason(["Running stage 'embed':"], "embed") is None


@pytest.fixture
def bucket() -> Iterator[MemoryFileSystem]:
    """A remote folder with one file, in fsspec's memory."""
    system = fsspec.filesystem("memory")
    system.pipe_file("/pictures/set/a.png", b"x")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_a_listing_stands_for_a_remote_source(root: Path, bucket: MemoryFileSystem) -> None:
    set_source(root, "memory://pictures/set")
    assert deps_of(root) == [LISTING]
    params = Workspace(root).params()
    check_source_dep(root, params)
    assert hide_unreadable(root, params.ingest.source) == []
    before = (root / LISTING).read_text()
    assert not refresh_listing(root, params)
    bucket.pipe_file("/pictures/set/b.png", b"y")
    assert refresh_listing(root, params)
    assert (root / LISTING).read_text() != before
    set_source(root, str(root.parent / "pictures"))
    assert deps_of(root) == ["${ingest.source}"]
    assert not refresh_listing(root, Workspace(root).params())


def test_a_workspace_may_begin_with_a_remote_source(tmp_path: Path, bucket: MemoryFileSystem) -> None:
    create_workspace(tmp_path / "w", "memory://pictures/set")
    assert deps_of(tmp_path / "w") == [LISTING]
    assert (tmp_path / "w" / LISTING).read_text().startswith("memory://pictures/set\n1 files\n")


def test_a_remote_source_that_is_not_there_changes_nothing(root: Path) -> None:
    before = (root / "params.yaml").read_bytes(), (root / "dvc.yaml").read_bytes()
    with pytest.raises(UserError, match="does not exist, or nothing is in it"):
        set_source(root, "memory://nowhere")
    assert ((root / "params.yaml").read_bytes(), (root / "dvc.yaml").read_bytes()) == before
    with pytest.raises(UserError, match="does not exist, or nothing is in it"):
        create_workspace(root.parent / "other", "memory://nowhere")
    assert not (root.parent / "other").exists()


def test_a_source_changed_by_hand_into_a_remote_one_says_how_to_mend_dvc_yaml(root: Path) -> None:
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace(str(root.parent / "pictures"), "s3://bucket/set"))
    with pytest.raises(UserError, match="does not depend on the source .*'sslflow run --source s3://bucket"):
        check_source_dep(root, Workspace(root).params())
