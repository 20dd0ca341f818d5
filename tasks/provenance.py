"""What a run came from: the Git revision, DVC's hashes, the pipeline it belongs to."""

import os
import subprocess
from pathlib import Path

import psutil

from tasks.outputs import locked_hash

__all__ = ["PIPELINE", "dvc_tags", "git_tags", "pipeline_key"]

PIPELINE = "SSLFLOW_PIPELINE"
"""Environment variable with the name of the pipeline run that launched this stage."""


def pipeline_key() -> str:
    """Return one name for all the stages of one pipeline run.

    It is what the launcher put into the environment; under ``dvc repro``, the DVC process; else this process.
    """
    given = os.environ.get(PIPELINE)
    if given:
        return given
    process = psutil.Process()
    if "DVC_ROOT" in os.environ:
        for parent in process.parents():
            if any(Path(word).name in ("dvc", "dvc.exe") for word in _command(parent)[:3]):
                process = parent
    return f"{process.pid}-{process.create_time():.0f}"


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def git_tags(root: Path) -> dict[str, str]:
    """Return the revision of the workspace's Git repository and whether it was dirty; {} without Git."""
    revision = _git(root, "rev-parse", "HEAD")
    if revision is None:
        return {}
    return {
        "mlflow.source.git.commit": revision,
        "git.dirty": str(bool(_git(root, "status", "--porcelain", "--untracked-files=no"))).lower(),
    }


def dvc_tags(root: Path, places: list[str]) -> dict[str, str]:
    """Return ``dvc.PLACE`` -> the hash that dvc.lock records for each place it knows."""
    hashes = {place: locked_hash(root, place) for place in places}
    return {f"dvc.{place}": digest for place, digest in hashes.items() if digest}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
