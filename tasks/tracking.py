"""MLflow: one run per stage under one parent per pipeline run. A server that is down loses nothing.

Everything a stage logs goes into a record first. While MLflow answers, the run is filled as the stage works;
if it stops answering, the record is kept under .state/unsent/ and the next stage sends it.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sslcore.config import Params
from tasks.fingerprints import Plan
from tasks.provenance import dvc_tags, git_tags, pipeline_key
from tasks.workspace import OUTPUTS, Workspace, write_json

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Tracker", "connect", "experiment_name", "send_kept", "tracking_uri"]

log = logging.getLogger(__name__)

Record = dict[str, Any]
TRAINING = "sslflow.training"


def tracking_uri(workspace: Workspace) -> str:
    """Return MLFLOW_TRACKING_URI, or the workspace's own SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.state}/mlflow.db"


def experiment_name() -> str:
    """Return MLFLOW_EXPERIMENT_NAME, or sslflow."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "sslflow"


def connect(workspace: Workspace) -> "MlflowClient":
    """Return a client of a store that is there and has our experiment.

    The first start creates and migrates the SQLite file, which two processes must not do at once: a lock.
    """
    import mlflow

    uri = tracking_uri(workspace)
    workspace.state.mkdir(exist_ok=True)
    with (workspace.state / "mlflow.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _use(uri)
        client = mlflow.MlflowClient(uri)
        if client.get_experiment_by_name(experiment_name()) is None:
            local = uri.startswith("sqlite:")
            place = (workspace.state / "mlartifacts").as_uri() if local else None
            client.create_experiment(experiment_name(), artifact_location=place)
    return client


def _use(uri: str) -> None:
    """Point MLflow at a store, but leave alone the environment variable by which a user chooses one."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    if before is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)


class Tracker:
    """The run of one stage: filled as it works, or kept for later."""

    def __init__(self, workspace: Workspace, params: Params, plan: Plan) -> None:
        """Start the run, or go on with that of a training that was interrupted.

        If MLflow does not answer, that is said once and the stage goes on.
        """
        self.workspace = workspace
        self.client: MlflowClient | None = None
        self.run_id: str | None = None
        self._system: Any = None
        self.record: Record = {
            "stage": plan.stage,
            "pipeline": pipeline_key(),
            "started": _now(),
            "params": _flat(getattr(params, plan.stage).model_dump(mode="json"), plan.stage),
            "tags": {**_tags(workspace, plan), **_same_training(workspace, params, plan)},
            "inputs": _inputs(workspace, plan),
            "metrics": [],
            "figures": {},
        }
        with self.answering("start the run"):
            self.client = connect(workspace)
            send_kept(workspace, self.client)
            self.run_id = _open_run(self.client, self.record)
            self._system = _system_metrics(self.run_id, tracking_uri(workspace))

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record values at a step."""
        points = [[name, float(value), _now(), step] for name, value in values.items()]
        self.record["metrics"] += points
        if self.client is not None and self.run_id is not None:
            with self.answering("log metrics"):
                _log_points(self.client, self.run_id, points)

    def finish(self, status: str, figures: Mapping[str, float], files: list[Path]) -> None:
        """End the run (FINISHED, FAILED or KILLED) with its figures and small files, or keep its record."""
        self.record |= {
            "status": status,
            "ended": _now(),
            "figures": {k: float(v) for k, v in figures.items()},
        }
        self.record["files"] = [str(file) for file in files if file.is_file()]
        if self._system is not None:
            self._system.finish()
        if self.client is not None and self.run_id is not None:
            with self.answering("end the run"):
                _close_run(self.client, self.run_id, self.record)
        if self.client is None:
            self._keep()

    def keep_backbone(self) -> None:
        """Keep a backbone whose run is recorded, but not in the registry; the next stage registers it."""
        self.record |= {"run_id": self.run_id, "files": []}
        self._keep()

    @contextmanager
    def answering(self, doing: str) -> Iterator[None]:
        """Log and carry on without MLflow if it does not answer within the block."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            log.warning(
                "MLflow could not %s (%s); the record is kept and the next stage sends it", doing, reason
            )
            self.client = None

    def _keep(self) -> None:
        folder = self.workspace.state / "unsent" / f"{self.record['started']}-{self.record['stage']}"
        for number, file in enumerate(self.record["files"]):
            copy = folder / "files" / str(number) / Path(file).name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            self.record["files"][number] = str(copy)
        model = self.record["params"].get("pretrain.method") and self.record["status"] == "FINISHED"
        if model:
            place = self.workspace.root / self.record["tags"]["sslflow.output"] / OUTPUTS["pretrain"]["."]
            shutil.copytree(place, folder / "backbone")
        write_json(folder / "record.json", self.record)


def send_kept(workspace: Workspace, client: "MlflowClient") -> int:
    """Send the records of runs during which MLflow did not answer, oldest first. Returns how many."""
    from tasks.registry import register

    kept = sorted((workspace.state / "unsent").glob("*/record.json"))
    for path in kept:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        run_id = record.get("run_id")
        if run_id is None:
            run_id = _open_run(client, record)
            _log_points(client, run_id, record["metrics"])
            _close_run(client, run_id, record)
        if (path.parent / "backbone").is_dir():
            register(client, run_id, path.parent / "backbone")
        shutil.rmtree(path.parent)
        log.info("sent the kept record of %s to MLflow", record["stage"])
    return len(kept)


def _open_run(client: "MlflowClient", record: Record) -> str:
    from mlflow.entities import Dataset, DatasetInput, Param, RunTag

    experiment_id = _experiment_id(client)
    parent = _parent_run(client, experiment_id, record)
    interrupted = _interrupted_run(client, experiment_id, record)
    if interrupted is not None:
        tags = {**record["tags"], "mlflow.parentRunId": parent}  # of the code and the flow that go on with it
        client.log_batch(interrupted, tags=[RunTag(*each) for each in tags.items()])
        client.update_run(interrupted, "RUNNING")
        return interrupted
    tags = {**record["tags"], "mlflow.parentRunId": parent, "mlflow.runName": record["stage"]}
    run = client.create_run(experiment_id, start_time=record["started"], tags=tags, run_name=record["stage"])
    run_id = str(run.info.run_id)
    params = [Param(name, str(value)[:6000]) for name, value in record["params"].items()]
    client.log_batch(run_id, params=params, tags=[RunTag("sslflow.stage", record["stage"])])
    if record["inputs"]:
        client.log_inputs(run_id, [DatasetInput(Dataset(**each)) for each in record["inputs"]])
    return run_id


def _interrupted_run(client: "MlflowClient", experiment_id: str, record: Record) -> str | None:
    """Return the run of the same training that was stopped (KILLED), or whose process is gone (RUNNING)."""
    training = record["tags"].get(TRAINING)
    if training is None:
        return None
    newest = client.search_runs(
        [experiment_id],
        f"tags.`{TRAINING}` = '{training}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    found = [str(run.info.run_id) for run in newest if run.info.status in ("KILLED", "RUNNING")]
    return found[0] if found else None


def _same_training(workspace: Workspace, params: Params, plan: Plan) -> dict[str, str]:
    """Return the tag by which a training finds its own run again: its settings, its data, its workspace."""
    info = plan.place("ingest") / "dataset.json" if "ingest" in plan.roots else None
    if plan.stage != "pretrain" or info is None or not info.is_file():
        return {}
    content = {
        "settings": params.pretrain.identity(),
        "dataset": json.loads(info.read_text(encoding="utf-8"))["fingerprint"],
        "workspace": f"{socket.gethostname()}:{workspace.root.resolve()}",
    }
    return {TRAINING: hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]}


def _experiment_id(client: "MlflowClient") -> str:
    experiment = client.get_experiment_by_name(experiment_name())
    assert experiment is not None, "connect() makes it"
    return str(experiment.experiment_id)


def _parent_run(client: "MlflowClient", experiment_id: str, record: Record) -> str:
    key = record["pipeline"]
    found = client.search_runs(
        [experiment_id],
        f"tags.`sslflow.pipeline` = '{key}' and tags.`sslflow.stage` = 'pipeline'",
        max_results=1,
    )
    if found:
        return str(found[0].info.run_id)
    tags = {"sslflow.pipeline": key, "sslflow.stage": "pipeline"}
    run = client.create_run(
        experiment_id, start_time=record["started"], tags=tags, run_name=f"pipeline {key}"
    )
    return str(run.info.run_id)


def _log_points(client: "MlflowClient", run_id: str, points: list[list[Any]]) -> None:
    from mlflow.entities import Metric

    for start in range(0, len(points), 1000):
        client.log_batch(run_id, metrics=[Metric(*point) for point in points[start : start + 1000]])


def _close_run(client: "MlflowClient", run_id: str, record: Record) -> None:
    points = [[name, value, record["ended"], 0] for name, value in record["figures"].items()]
    _log_points(client, run_id, points)
    for file in record["files"]:
        client.log_artifact(run_id, file)
    client.set_terminated(run_id, record["status"], record["ended"])
    parent = client.get_run(run_id).data.tags["mlflow.parentRunId"]
    for name, value in record["figures"].items():
        client.log_metric(parent, f"{record['stage']}.{name}", value, record["ended"])
    client.set_terminated(parent, record["status"], record["ended"])


def _system_metrics(run_id: str, uri: str) -> Any:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    untyped: Any = SystemMetricsMonitor
    monitor = untyped(run_id, sampling_interval=5, tracking_uri=uri)
    monitor.start()
    return monitor


def _tags(workspace: Workspace, plan: Plan) -> dict[str, str]:
    tags = {
        **git_tags(workspace.root),
        **dvc_tags(workspace.root, [place for name in plan.roots for place in OUTPUTS[name].values()]),
        "sslflow.output": os.path.relpath(plan.root, workspace.root),
        "mlflow.source.name": f"sslflow {plan.stage}",
        "mlflow.source.type": "JOB",
    }
    if plan.fingerprint:
        tags["sslflow.fingerprint"] = plan.fingerprint
    flow_run = os.environ.get("PREFECT__FLOW_RUN_ID")
    if flow_run:
        tags["prefect.flow_run_id"] = flow_run
    return tags


def _inputs(workspace: Workspace, plan: Plan) -> list[dict[str, str]]:
    """The data set that the stage reads, in MLflow's terms; the digest is DVC's if there is one."""
    if "ingest" not in plan.roots:
        return []
    info = json.loads((plan.place("ingest") / "dataset.json").read_text(encoding="utf-8"))
    tags = dvc_tags(workspace.root, ["data/dataset"]) if plan.roots["ingest"] == workspace.root else {}
    source = {"path": "data/dataset", "fingerprint": info["fingerprint"], "source": info["source"], **tags}
    return [
        {
            "name": "data/dataset",
            "digest": tags.get("dvc.data/dataset", info["fingerprint"])[:36],
            "source_type": "dvc" if tags else "local",
            "source": json.dumps(source),
            "profile": json.dumps({"num_samples": info["num_samples"], "num_labelled": info["num_labelled"]}),
        }
    ]


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}.{name}")
        else:
            flat[f"{prefix}.{name}"] = value
    return flat


def _now() -> int:
    return time.time_ns() // 1_000_000
