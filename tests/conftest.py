"""What all tests share: no telemetry, and no tracking server of the person who runs them."""

import pytest

from tasks.telemetry import switch_off

switch_off()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "SSLFLOW_LOCK_HELD", "SSLFLOW_PIPELINE"):
        monkeypatch.delenv(name, raising=False)
