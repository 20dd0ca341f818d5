"""A workspace: its stages, where each one's inputs and outputs lie, and the lock that keeps runs apart."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslcore.config import Params, read_params
from sslcore.errors import UserError

__all__ = ["INPUTS", "LABELS", "LOCK_HELD", "OUTPUTS", "STAGES", "Workspace", "write_json"]

STAGES = ("ingest", "pretrain", "embed", "evaluate", "select", "report")

INPUTS: Mapping[str, tuple[str, ...]] = {
    "ingest": (),
    "pretrain": ("ingest",),
    "embed": ("ingest", "pretrain"),
    "evaluate": ("ingest", "pretrain", "embed"),
    "select": ("ingest", "embed"),
    "report": ("ingest", "pretrain", "embed", "evaluate", "select"),
}
"""The stages whose outputs each stage reads."""

OUTPUTS: Mapping[str, Mapping[str, str]] = {
    "ingest": {".": "data/dataset"},
    "pretrain": {".": "models/backbone"},
    "embed": {".": "data/embeddings"},
    "evaluate": {"evaluate.json": "metrics/evaluate.json", "plots": "plots"},
    "select": {".": "data/selection"},
    "report": {".": "reports"},
}
"""Where each thing that a step writes goes: name in the step's output folder -> place in the workspace."""

LABELS = "data/labels"
"""What people labelled since ingestion: CSV files, read by evaluate, select and report."""

LOCK_HELD = "SSLFLOW_LOCK_HELD"
"""Environment variable that says that a parent process holds the workspace's lock."""


@dataclass(frozen=True)
class Workspace:
    """A folder with params.yaml, dvc.yaml and .dvc/."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> "Workspace":
        """Return the workspace that holds ``start`` (default: the current folder).

        Raises:
            UserError: If neither it nor a folder above it is one; says what is missing.
        """
        here = (start or Path.cwd()).absolute()
        for folder in (here, *here.parents):
            if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
                if not (folder / ".dvc").is_dir():
                    raise UserError(
                        f"{folder} has no .dvc folder, so nothing can be versioned: type 'dvc init' there"
                    )
                return cls(folder)
        raise UserError(
            f"{here} is no workspace (no params.yaml and dvc.yaml): make one with 'sslflow init DIR'"
        )

    @property
    def state(self) -> Path:
        """What is kept between runs and never versioned: MLflow's database, locks, records."""
        return self.root / ".state"

    @property
    def params_file(self) -> Path:
        """The workspace's params.yaml."""
        return self.root / "params.yaml"

    def params(self, overrides: Sequence[str] = ()) -> Params:
        """Read params.yaml with overrides.

        Raises:
            ConfigError: If it is missing or something in it is wrong.
        """
        try:
            return read_params(self.params_file, overrides)
        except UserError as error:
            raise type(error)(str(error).replace(f"{self.root}/", "")) from None

    def outcome_file(self, stage: str) -> Path:
        """Where a stage's process leaves what became of it, for whoever launched it."""
        return self.state / "outcomes" / f"{stage}.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace for one run; the lock ends with the process, however it ends.

        Raises:
            UserError: If another run holds it; names its command and process.
        """
        if os.environ.get(LOCK_HELD) == "1":
            yield
            return
        self.state.mkdir(exist_ok=True)
        with (self.state / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise UserError(f"{self.root} is in use by {holder}; wait for it, or stop it") from None
            file.truncate(0)
            file.write(f"'{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}' (process {os.getpid()})")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON beside and rename, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)
