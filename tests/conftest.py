"""What all tests share: no telemetry, no tracking server of the person who runs them, and their order."""

from pathlib import Path

import pytest

from tasks.telemetry import switch_off

switch_off()

TESTS = Path(__file__).parent
STARTS_NO_PROCESS = {
    "augment",
    "backbones",
    "config",
    "heads",
    "labels",
    "losses",
    "masks",
    "methods",
    "report",
    "selection",
}
"""Folders of tests that fork no process: the only ones that may follow a flow."""


def place_of(item: pytest.Item) -> tuple[int, bool]:
    """Return when a test is run: slow ones first, so that parallel workers end together.

    What is forked from a process in which a flow has started dies (Prefect 3.8): so what may fork goes first.
    """
    if "prefect_server" in getattr(item, "fixturenames", ()):
        return 1, False
    if STARTS_NO_PROCESS.intersection(item.path.relative_to(TESTS).parts):
        return 2, False
    return 0, item.get_closest_marker("slow") is None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in their order."""
    items.sort(key=place_of)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "SSLFLOW_LOCK_HELD", "SSLFLOW_PIPELINE"):
        monkeypatch.delenv(name, raising=False)
