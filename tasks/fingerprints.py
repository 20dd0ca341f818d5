"""Where a stage reads and writes: the workspace itself, or runs/FINGERPRINT/ when overrides touch it."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslcore.config import Params
from sslcore.errors import UserError
from tasks.workspace import INPUTS, LABELS, OUTPUTS, STAGES, Workspace

__all__ = ["Plan", "affected_stages", "checkpoint_key", "plan_stage"]

WHOLE = "run.json"
"""Written last into runs/FINGERPRINT/: its presence says that the result is whole."""


@dataclass(frozen=True)
class Plan:
    """Where one stage reads and writes."""

    stage: str
    root: Path
    """Folder under which the outputs go: the workspace, or runs/FINGERPRINT."""
    roots: Mapping[str, Path]
    """The same for every stage that this one reads."""
    fingerprint: str | None
    """Of the stage's settings and inputs; None in the workspace itself, where DVC decides."""

    @property
    def is_whole(self) -> bool:
        """Whether a whole result with this fingerprint is there already."""
        return self.fingerprint is not None and (self.root / WHOLE).is_file()

    def place(self, stage: str, name: str = ".") -> Path:
        """Return where an output of ``stage`` lies for this plan."""
        root = self.root if stage == self.stage else self.roots[stage]
        return root / OUTPUTS[stage][name]


def affected_stages(before: Params, after: Params) -> set[str]:
    """Return the stages whose result overrides can change: their section differs, or one they read does."""
    affected: set[str] = set()
    for stage, inputs in INPUTS.items():
        if getattr(before, stage) != getattr(after, stage) or affected.intersection(inputs):
            affected.add(stage)
    return affected


def plan_stage(workspace: Workspace, stage: str, overrides: Sequence[str] = ()) -> Plan:
    """Find where ``stage`` reads and writes with these overrides.

    Raises:
        ConfigError: If params.yaml or an override is wrong.
        UserError: If an earlier stage has not been run with these overrides.
    """
    params = workspace.params(overrides)
    affected = affected_stages(workspace.params(), params)
    plans: dict[str, Plan] = {}
    for name in _with_ancestors(stage):
        roots = {upstream: plans[upstream].root for upstream in INPUTS[name]}
        if name not in affected:
            plans[name] = Plan(name, workspace.root, roots, None)
            continue
        fingerprint = _fingerprint(workspace, name, params, plans)
        root = workspace.root / "runs" / fingerprint
        plans[name] = Plan(name, root, roots, fingerprint)
        if name != stage and not plans[name].is_whole:
            said = " ".join(f"--set {override}" for override in overrides)
            raise UserError(
                f"{name} has not been run with these settings: type 'sslflow {name} {said}' first"
            )
    return plans[stage]


def checkpoint_key(params: Params, plan: Plan) -> str:
    """Return what names the checkpoints of a pretraining: the settings that matter, the data set's digest.

    So a run never goes on from another's, and the same command finds its own again.
    """
    content = {"settings": params.pretrain.identity(), "dataset": _digest_files(plan.place("ingest"))}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _with_ancestors(stage: str) -> list[str]:
    """Return the stage and all it reads from, directly or not, in order."""
    wanted = {stage}
    for name in reversed(STAGES):
        if name in wanted:
            wanted.update(INPUTS[name])
    return [name for name in STAGES if name in wanted]


def _fingerprint(workspace: Workspace, stage: str, params: Params, plans: Mapping[str, Plan]) -> str:
    inputs = {name: plans[name].fingerprint or _digest(plans[name], name) for name in INPUTS[stage]}
    content: dict[str, Any] = {
        "stage": stage,
        "params": getattr(params, stage).model_dump(mode="json"),
        "inputs": inputs,
    }
    if stage == "ingest":
        content["listing"] = _listing(workspace.root, params.ingest.source)
    if stage in ("evaluate", "select", "report"):
        content["labels"] = _digest_files(workspace.root / LABELS)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _digest(plan: Plan, stage: str) -> str:
    return hashlib.sha256(
        "".join(_digest_files(plan.place(stage, name)) for name in OUTPUTS[stage]).encode()
    ).hexdigest()


def _digest_files(path: Path) -> str:
    """Digest names and contents; of a shard the name alone, since it is a hash of the content."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path)}\0".encode())
            if file.suffix != ".arrow":
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _listing(root: Path, source: str) -> str:
    """Digest names, sizes and times of a source that is a path; of any other, its name alone."""
    digest = hashlib.sha256(source.encode())
    path = root / source
    walk: Iterable[tuple[str, list[str], list[str]]] = [(str(path.parent), [], [path.name])]
    for folder, folders, files in os.walk(path) if path.is_dir() else walk:
        folders.sort()
        for name in sorted(files):
            file = Path(folder) / name
            if file.exists():
                stat = file.stat()
                digest.update(
                    f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape")
                )
    return digest.hexdigest()
