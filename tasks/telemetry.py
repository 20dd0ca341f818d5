"""Telemetry off, for every tool we start; and their chatter. A variable the user has set stays as it is."""

import os

__all__ = ["OFF", "switch_off"]

OFF = {
    "DO_NOT_TRACK": "true",  # MLflow wants exactly "true"; Prefect's client takes it too
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # not covered by DO_NOT_TRACK
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # our loggers also speak outside of flows
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",  # 10 s at rest, minutes on a busy machine
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_SUPPRESS_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down must not hold up a stage for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "DVC_NO_ANALYTICS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "GIT_PYTHON_REFRESH": "quiet",
}


def switch_off() -> None:
    """Set the variables in this process, and so in all it starts. Call before importing the tools."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
