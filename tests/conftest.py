"""What all tests share: no telemetry, no tracking server of the person who runs them, and their order."""

import pytest

from tasks.telemetry import switch_off

switch_off()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run flows last: once one has started in a process, forked DataLoader workers die (Prefect 3.8)."""
    items.sort(key=lambda item: "prefect_server" in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "SSLFLOW_LOCK_HELD", "SSLFLOW_PIPELINE"):
        monkeypatch.delenv(name, raising=False)
