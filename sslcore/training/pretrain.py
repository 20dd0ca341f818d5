"""The pretrain stage: a data set in, a backbone out."""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sslcore.backbones import save_backbone
from sslcore.config import PretrainConfig
from sslcore.data import read_dataset_info
from sslcore.devices import resolve_device
from sslcore.distributed import rank
from sslcore.monitor import SILENT, Monitor
from sslcore.training.assemble import assemble
from sslcore.training.follow import Run, follow
from sslcore.training.interruption import stopping_on_sigterm
from sslcore.training.processes import broadcast_object, launched, process_group

__all__ = ["PretrainReport", "pretrain"]

log = logging.getLogger(__name__)

COLUMNS = (
    "epoch",
    "loss",
    "lr",
    "knn_accuracy",
    "probe_accuracy",
    "alignment",
    "uniformity",
    "effective_rank",
    "feature_std",
)


@dataclass(frozen=True)
class PretrainReport:
    """What a training run came to."""

    summary: str
    figures: Mapping[str, float] = field(default_factory=dict)


def pretrain(
    config: PretrainConfig,
    *,
    dataset: Path,
    output: Path,
    monitor: Monitor = SILENT,
    checkpoints: Path | None = None,
    traces: Path | None = None,
) -> PretrainReport:
    """Learn a backbone from the training split, without labels.

    Started by torchrun it is one of several processes, of which the first one writes; otherwise it starts
    ``config.num_processes`` itself.

    Args:
        config: What is trained and for how long.
        dataset: Folder that ingest wrote.
        output: Empty folder; gets backbone.safetensors, model.json and history.csv.
        monitor: Told of steps and of metrics per epoch.
        checkpoints: Folder for what a run needs to go on after it was stopped, for this run only; what is in
            it is gone on from. Remove it when the result is in its place. None keeps no checkpoints.
        traces: Folder for the trace of ``config.profile``; ``output`` if there is none.

    Raises:
        UserError: If a setting is wrong, there are too few training samples, or the checkpoints are of a run
            with other settings.
        NotLearningError: If the loss is not finite or the features collapse.
        TrainingInterrupted: If SIGTERM came; a checkpoint is written then.
    """
    if config.num_processes > 1 and not launched():
        from sslcore.training.launching import pretrain_in_processes

        places = {"dataset": dataset, "output": output, "checkpoints": checkpoints, "traces": traces}
        return pretrain_in_processes(config, monitor=monitor, **places)
    device = resolve_device(config.device)
    with process_group(device), stopping_on_sigterm() as stop:
        trace = (traces or output) / f"pretrain-rank{rank()}.json.gz" if config.profile else None
        run = assemble(
            config,
            dataset=dataset,
            device=device,
            checkpoints=checkpoints,
            monitor=monitor,
            stop=stop,
            trace=trace,
        )
        follow(run)
        return _finish(run, output)


def _finish(run: Run, output: Path) -> PretrainReport:
    """Write the backbone that is kept, in the first process; all return the report."""
    config, record = run.config, run.record
    last = int(record.history[-1]["epoch"])
    kept_epoch = last if record.best is None else record.best.epoch
    row = next(row for row in record.history if row["epoch"] == kept_epoch)
    final = {name: value for name, value in row.items() if name not in ("epoch", "lr")}
    module = run.kept.module() if record.best is None else run.kept.put_back(record.best.weights)
    summary = ""
    if rank() == 0:
        _write_history(output / "history.csv", record.history)
        info = save_backbone(
            output,
            module,
            backbone=config.backbone,
            image_size=config.image_size,
            method=config.method,
            normalization=run.kept.normalization,
            config=config.model_dump(mode="json"),
            dataset_fingerprint=read_dataset_info(run.dataset).fingerprint,
            metrics=final,
        )
        summary = _summary(run, kept_epoch, last, info.model_id, final)
    return PretrainReport(
        broadcast_object(summary), {**final, "kept_epoch": float(kept_epoch), **run.figures}
    )


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"])} for row in history)


def _summary(run: Run, kept_epoch: int, last: int, model_id: str, final: Mapping[str, float]) -> str:
    config, metric = run.config, run.config.keep_metric
    wanted = config.batch_size
    smaller = (
        f" (batches of {run.batch_size}: there are no more samples)"
        if isinstance(wanted, int) and run.batch_size < wanted
        else ""
    )
    knn = f", kNN accuracy {final['knn_accuracy']:.3f}" if "knn_accuracy" in final else ""
    best = f", kept of epoch {kept_epoch} (best {metric} on validation)" if kept_epoch != last else ""
    return (
        f"{config.method} trained {config.backbone} for {last} epochs on {run.num_samples} samples"
        f"{smaller}: loss {final['loss']:.3f}{knn}{best}; model {model_id}"
    )
