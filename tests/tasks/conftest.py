"""Workspaces with an MLflow store that is there already, so that a test does not migrate one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.tracking import connect
from tasks.workspace import Workspace


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    connect(Workspace(root))
    return root / ".state" / "mlflow.db"


@pytest.fixture
def make_workspace(tmp_path: Path, migrated_store: Path) -> Callable[[str], Workspace]:
    def make(name: str) -> Workspace:
        root = tmp_path / name
        (root / ".state").mkdir(parents=True)
        (root / "params.yaml").write_text("ingest: {source: pictures}\n")
        shutil.copyfile(migrated_store, root / ".state" / "mlflow.db")
        return Workspace(root)

    return make
