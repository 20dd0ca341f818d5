"""A workspace small enough to run the whole pipeline in, and a Prefect server for the session."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from sslcore.data.sample import write_sample
from tasks.dvc_process import dvc_environment
from tasks.params_file import load_commented, save_commented
from tasks.versioning import create_workspace
from tasks.workspace import Workspace

SMALL = {
    "ingest": {"num_workers": 1},
    "pretrain": {
        "backbone": "resnet10-small",
        "image_size": 16,
        "epochs": 1,
        "batch_size": 32,
        "views": "simclr-small",
        "num_workers": 0,
    },
    "embed": {"num_workers": 0},
    "evaluate": {"num_workers": 0},
    "select": {"budget": 5},
    "report": {"map": "pca"},
}

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prefect's own harness isolates the database alone, so its home is moved too."""
    before = os.environ.get("PREFECT_HOME")
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    with prefect_test_harness(server_startup_timeout=120):
        yield
    if before is None:
        del os.environ["PREFECT_HOME"]
    else:
        os.environ["PREFECT_HOME"] = before


@pytest.fixture(scope="session")
def make_small_workspace(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workspace]:
    """Return a function that makes a workspace with 120 drawn images of its own."""

    def make(name: str) -> Workspace:
        root = tmp_path_factory.mktemp(name)
        write_sample(root / "pictures", num_images=120)
        create_workspace(root / "workspace", str(root / "pictures"))
        path = root / "workspace" / "params.yaml"
        params = load_commented(path)
        for section, settings in SMALL.items():
            params[section].update(settings)
        save_commented(params, path)
        return Workspace(root / "workspace")

    return make


@pytest.fixture
def command() -> Command:
    """Run a program of this environment in a folder."""

    def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        program = [sys.executable, "-m", "dvc"] if words[0] == "dvc" else [sys.executable, "-m", "flows.cli"]
        return subprocess.run(
            [*program, *words[1:]], cwd=folder, env=dvc_environment(), capture_output=True, text=True
        )

    return run
