"""Imports go down only: flows -> tasks -> sslcore. And each package says what is public."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sslcore

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "sslcore": {"prefect", "mlflow", "dvc", "rich", "click", "tasks", "flows"},
    "tasks": {"flows"},
}
PREFECT_IN_TASKS = {
    "stage_task.py",
    "ingest.py",
    "pretrain.py",
    "embed.py",
    "evaluate.py",
    "select.py",
    "report.py",
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_no_import_goes_upwards(layer: str) -> None:
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    wrong = {
        str(path): imported(path) & FORBIDDEN[layer] for path in files if imported(path) & FORBIDDEN[layer]
    }
    assert wrong == {}


def test_only_the_task_files_import_prefect() -> None:
    with_prefect = {path.name for path in (ROOT / "tasks").rglob("*.py") if "prefect" in imported(path)}
    assert with_prefect <= PREFECT_IN_TASKS


def test_dvc_is_never_imported_only_run() -> None:
    assert [
        path
        for layer in ("tasks", "flows")
        for path in (ROOT / layer).rglob("*.py")
        if "dvc" in imported(path)
    ] == []


def test_the_command_imports_neither_prefect_nor_dvc_nor_torch() -> None:
    code = (
        "import sys; from flows.cli import main; import tasks.stage; code = main(['ingest', '--help']); "
        "print(code, sorted({'prefect', 'dvc', 'torch', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def packages() -> list[str]:
    return [each.name for each in pkgutil.walk_packages(sslcore.__path__, "sslcore.") if each.ispkg]


@pytest.mark.parametrize("name", packages())
def test_a_package_lists_what_is_public_and_has_it(name: str) -> None:
    module = importlib.import_module(name)
    public = module.__all__
    assert sorted(set(public)) == sorted(public)
    assert [each for each in public if not hasattr(module, each)] == []
