"""DVC as a program: how it is called and what its answers mean. Never imported: its Python API moves."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sslcore.errors import UserError
from tasks.telemetry import OFF
from tasks.workspace import STAGES

__all__ = ["dvc_command", "dvc_environment", "explain", "is_chatter", "skip_reason", "unchanged_stages"]

_CHATTER = re.compile(
    r"\s*$|To track the changes with git|\s*git add |To enable auto staging|\s*dvc config core\.autostage"
    r"|Use `dvc push`|(Generating|Updating) lock file|Data and pipelines are up to date"
)
_FAILED_STAGE = re.compile(r"^failed to reproduce '[^']*': ")
_STAGE_COMMAND_FAILED = re.compile(r"failed to run: .*, exited with -?\d+")
_NOT_FOUND = re.compile(r"\[Errno 2\] No such file or directory: '(.*)'")


def dvc_command(*arguments: str) -> list[str]:
    """Return the command that runs this environment's DVC."""
    return [sys.executable, "-m", "dvc", *arguments]


def dvc_environment() -> dict[str, str]:
    """Return this process's environment with our programs first, telemetry off and a plain shell.

    DVC runs a stage in the user's own $SHELL, which for a service is often ``nologin``.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**OFF, **os.environ, "PATH": path, "SHELL": "/bin/sh", "PYTHONUNBUFFERED": "1"}


def unchanged_stages(root: Path) -> frozenset[str]:
    """Return the stages that DVC finds up to date, up to the first one that is not.

    All that such a stage reads is up to date too, so the answer still holds when its turn comes; a later one
    has to be asked again by then. One call takes as long as one ``dvc repro --single-item``.

    Raises:
        UserError: If DVC cannot tell; in one line.
    """
    done = subprocess.run(
        dvc_command("status", "--json", *STAGES),
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).splitlines()
        raise UserError(explain(lines, root=root) or f"dvc status failed: {' '.join(lines)}")
    stale = json.loads(done.stdout)
    first = next((index for index, stage in enumerate(STAGES) if stage in stale), len(STAGES))
    return frozenset(STAGES[:first])


def skip_reason(lines: Sequence[str], stage: str) -> str | None:
    """Return "unchanged" or "restored" if DVC's output says that it did not run the stage, else None."""
    for line in lines:
        if line.startswith(f"Stage '{stage}' didn't change"):
            return "unchanged"
        if line.startswith(f"Stage '{stage}' is cached - skipping run"):
            return "restored"
    return None


def is_chatter(line: str) -> bool:
    """Whether a line of DVC is advice that nobody needs in a log."""
    return _CHATTER.match(line) is not None


def explain(lines: Sequence[str], *, root: Path) -> str | None:
    """Return in one line what a failed DVC complains about, or None if the stage's own command failed.

    Args:
        lines: The end of DVC's output.
        root: The workspace; its path is cut off in messages.
    """
    message = _complaint(lines)
    if message is None or _STAGE_COMMAND_FAILED.search(message):
        return None
    message = _FAILED_STAGE.sub("", message).replace(f"{root}{os.sep}", "")
    if missing := _NOT_FOUND.search(message):
        return (
            f"{missing.group(1)} is not there, and this stage reads it (see dvc.yaml); 'dvc pull' fetches"
            " what an earlier stage wrote, 'sslflow run' makes it"
        )
    if "Unable to acquire lock" in message or "is busy, it is being blocked by" in message:
        who = re.search(r"\(PID \d+\): .*?(?=  |$)", message)
        return f"another dvc command is using this workspace{f' {who.group()}' if who else ''}: wait for it"
    if "not inside of a DVC repository" in message:
        return f"{root} has no .dvc folder, so nothing can be versioned: type 'dvc init' there"
    return f"dvc: {message}"


def _complaint(lines: Sequence[str]) -> str | None:
    """Return the last complaint in DVC's output with its continuation lines, joined into one."""
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index]
        if line.startswith("ERROR: "):
            more = [part for part in lines[index + 1 :] if "manually remove" not in part and part.strip()]
            return " ".join([line.removeprefix("ERROR: "), *more])
        if line.startswith("'./dvc.yaml' ") or line.startswith("'dvc.yaml' "):
            more = [part.strip() for part in lines[index + 1 :] if part.strip()][:1]
            return " ".join([line.replace("'./dvc.yaml'", "dvc.yaml"), *more])
    return None
