"""What happens between the steps of a run: losses, epochs, measures, checkpoints, and whether to stop."""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sslcore.config import PretrainConfig
from sslcore.distributed import rank, world_size
from sslcore.errors import NotLearningError, TrainingInterrupted
from sslcore.monitor import Monitor
from sslcore.training.checkpoint import Best, Record, capture
from sslcore.training.checkpoint_files import CheckpointFiles
from sslcore.training.finite import Readings
from sslcore.training.flops import count_flops
from sslcore.training.interruption import StopRequest
from sslcore.training.kept import Kept
from sslcore.training.loop import Batches, Parts, Step, train
from sslcore.training.online import OnlineEvaluation, affordable_images
from sslcore.training.processes import broadcast_object, greatest
from sslcore.training.profile import tracing
from sslcore.training.timing import Timing

__all__ = ["Run", "follow"]

log = logging.getLogger(__name__)

TOGETHER_EVERY = 4
"""With several processes: steps between two agreements on whether to stop or to save."""
REPLAN_AT = 0.05
"""Part of max_minutes after which the schedule is fitted into it."""


@dataclass
class Run:
    """One training run and what belongs to it."""

    config: PretrainConfig
    dataset: Path
    parts: Parts
    record: Record
    batches: Batches
    kept: Kept
    timing: Timing
    monitor: Monitor
    stop: StopRequest
    batch_size: int
    """Of all processes together."""
    num_samples: int
    files: CheckpointFiles | None = None
    trace: Path | None = None
    online: OnlineEvaluation | None = None
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    figures: dict[str, float] = field(default_factory=dict)
    """Of speed, at the end of the last epoch."""

    @property
    def device(self) -> torch.device:
        """Where it trains."""
        return self.parts.precision.device

    @property
    def seconds(self) -> float:
        """Since the run began, in earlier processes too."""
        return self.record.seconds + time.monotonic() - self.started


def follow(run: Run) -> None:
    """Train to the end, and keep the record.

    Raises:
        NotLearningError: If a loss is not finite or the features collapse.
        TrainingInterrupted: If SIGTERM came.
    """
    readings = Readings(run.device, scaled=run.parts.precision.scaler.is_enabled())
    steps = train(run.parts, run.timing.of(run.batches), run.record.length, done=run.record.done)
    run.timing.restart()
    with tracing(run.trace) as traced:
        for step in _counting_flops(run, steps):
            run.record.done = step.done
            run.timing.step(step.num_images)
            readings.add(step.done - 1, step.loss_and_norm)
            for number, loss in readings.arrived(all_of_them=step.ends_epoch):
                run.record.losses.append(loss)
                _tell(run, step, number + 1, loss)
            traced()
            improved = _close_epoch(run, step) if step.ends_epoch else False
            _save_or_stop(run, step, readings, improved)


def _counting_flops(run: Run, steps: Iterator[Step]) -> Iterator[Step]:
    """Count the operations of a run's first step; it is the same step, to the bit."""
    if run.record.done == 0 and run.config.compile == "none":
        step, run.record.flops_per_step = count_flops(lambda: next(steps))
        run.timing.flops_per_step = run.record.flops_per_step
        yield step
    run.timing.flops_per_step = run.record.flops_per_step
    yield from steps


def _tell(run: Run, step: Step, number: int, loss: float) -> None:
    figures = run.timing.figures()
    shown = {"images_per_second": figures["images_per_second"], "data_wait": figures["data_wait_share"]}
    if "model_flops_share" in figures:
        shown["mfu"] = figures["model_flops_share"]
    total = run.record.length.total_steps
    run.monitor.progress(number, total, "steps", epoch=step.epoch, loss=loss, **shown)


def _close_epoch(run: Run, step: Step) -> bool:
    """Add the epoch to the history; measure if it is time. Return whether the backbone is the best so far."""
    config, record = run.config, run.record
    speed = run.timing.figures()
    row = {
        "epoch": float(step.epoch),
        "loss": math.fsum(record.losses) / len(record.losses),
        "lr": step.lr,
    }
    improved = False
    if step.epoch % config.eval_every_epochs == 0 or step.done >= record.length.total_steps:
        started = time.perf_counter()
        row |= _measure(run)
        improved = _is_best(run, row)
        speed["eval_share"] = run.timing.evaluated(time.perf_counter() - started)
    record.history.append(row)
    record.losses = []
    run.figures = speed
    run.monitor.metrics(step.epoch, {**row, **speed})
    shown = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
    said = "  ".join(f"{name} {value:.3g}" for name, value in speed.items())
    log.info("%s  (%s)", shown, said)
    if speed.get("eval_share", 0.0) > config.eval_share:
        log.info(
            "measuring took %.0f%% of the time, more than eval_share: raise pretrain.eval_every_epochs",
            100 * speed["eval_share"],
        )
    run.timing.restart()
    return improved


def _measure(run: Run) -> dict[str, float]:
    """Measure in the first process; all raise what it raises."""
    backbone = run.kept.module()
    outcome: dict[str, float] | str = {}
    if rank() == 0:
        if run.online is None:
            run.online = _make_online(run, backbone)
        try:
            outcome = run.online.measure(backbone, run.device)
        except NotLearningError as error:
            outcome = str(error)
    outcome = broadcast_object(outcome)
    if isinstance(outcome, str):
        raise NotLearningError(outcome)
    return outcome


def _make_online(run: Run, backbone: torch.nn.Module) -> OnlineEvaluation:
    config, length = run.config, run.record.length
    every = min(config.eval_every_epochs * length.steps_per_epoch, length.total_steps)
    per_step = run.record.flops_per_step
    affordable = affordable_images(
        backbone,
        image_size=config.image_size,
        flops_between=every * per_step if per_step else every * 6.0 * run.batch_size,
        share=config.eval_share,
        device=run.device,
        counted=bool(per_step),
    )
    return OnlineEvaluation(
        run.dataset,
        image_size=config.image_size,
        normalization=run.kept.normalization,
        views=run.parts.views,
        most_images=affordable,
    )


def _is_best(run: Run, row: dict[str, float]) -> bool:
    """Keep the weights if they are the best so far by the metric that is chosen by."""
    metric, best = run.config.keep_metric, run.record.best
    if run.config.keep == "last" or metric not in row:
        return False
    if best is not None and row[metric] <= best.value:
        return False
    run.record.best = Best(int(row["epoch"]), row[metric], run.kept.weights())
    return True


def _save_or_stop(run: Run, step: Step, readings: Readings, improved: bool) -> None:
    """Write a checkpoint or stop if it is time to, in all processes after the same step."""
    if world_size() > 1 and step.done % TOGETHER_EVERY and not step.ends_epoch:
        return
    length = run.record.length
    stop, due, total = greatest(run.stop.requested, improved or _is_due(run, step), _fitted(run, step))
    if total:
        length.total_steps = int(total)
    if step.done >= length.total_steps or not (stop or due):
        return
    for _, loss in readings.arrived(all_of_them=True):
        run.record.losses.append(loss)
    saved = run.files is not None and _save(run, step, best=improved)
    if stop:
        kept = (
            "a checkpoint is written, the same command goes on from it" if saved else "no checkpoint is kept"
        )
        raise TrainingInterrupted(
            f"stopped by SIGTERM after {step.done} of {length.total_steps} steps; {kept}"
        )


def _is_due(run: Run, step: Step) -> bool:
    if run.files is None:
        return False
    every = run.config.checkpoint_every_steps
    by_time = time.monotonic() - run.saved >= 60 * run.config.checkpoint_every_minutes
    return by_time or (every is not None and step.done % every == 0)


def _save(run: Run, step: Step, *, best: bool) -> bool:
    started = time.perf_counter()
    record = run.record
    before, record.seconds = record.seconds, run.seconds
    state = {**capture(run.parts, record, run.config), "batch_size": run.batch_size}
    record.seconds = before
    if rank() == 0 and run.files is not None:
        run.files.save(state, step.done, best=best)
    run.saved = time.monotonic()
    run.timing.apart(time.perf_counter() - started)
    return True


def _fitted(run: Run, step: Step) -> int:
    """Return how many steps fit into max_minutes, when that has just become known; else 0."""
    if run.config.max_minutes is None:
        return 0
    limit, length = 60 * run.config.max_minutes, run.record.length
    if run.seconds >= limit:
        return step.done + 1 if step.done + 1 < length.total_steps else 0
    if run.record.fitted or run.seconds < REPLAN_AT * limit:
        return 0
    run.record.fitted = True
    fits = max(step.done + 1, int(step.done * limit / run.seconds))
    return fits if fits < length.total_steps else 0
