"""The library: torch only, nothing of prefect, mlflow or dvc."""

__all__ = ["__version__"]

__version__ = "0.1.0"
