"""Put a run together from its settings: data, method, views, optimizer, and what an earlier process left."""

import logging
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from sslcore.augment import IMAGENET, build_views
from sslcore.backbones import build_backbone
from sslcore.choices import check_choice
from sslcore.config import PretrainConfig
from sslcore.data import SampleDataset
from sslcore.devices import resolve_precision
from sslcore.distributed import rank, world_size
from sslcore.errors import ConfigError
from sslcore.methods import METHODS, Method, method_class
from sslcore.monitor import Monitor
from sslcore.training.batches import global_batch_size, load_size, make_batches
from sslcore.training.checkpoint import Record, restore
from sslcore.training.checkpoint_files import CheckpointFiles
from sslcore.training.ema import WeightAverage
from sslcore.training.find_batch_size import find_batch_size
from sslcore.training.follow import Run
from sslcore.training.interruption import StopRequest
from sslcore.training.kept import Kept
from sslcore.training.loop import Length, Parts
from sslcore.training.online import require_labels
from sslcore.training.optimizers import build_optimizer
from sslcore.training.precision import Precision
from sslcore.training.processes import averaging_gradients, broadcast_object, synchronised
from sslcore.training.schedules import Schedule, steps_of
from sslcore.training.sharding import shard
from sslcore.training.timing import Timing
from sslcore.training.view_stream import Views

__all__ = ["assemble", "build_method"]

log = logging.getLogger(__name__)


def assemble(
    config: PretrainConfig,
    *,
    dataset: Path,
    device: torch.device,
    checkpoints: Path | None,
    monitor: Monitor,
    stop: StopRequest,
    trace: Path | None,
) -> Run:
    """Build what a run needs, and go on from its newest checkpoint if there is one.

    Raises:
        UserError: If a setting is wrong, there are too few samples, or the checkpoints are of other settings.
    """
    torch.manual_seed(config.seed)
    precision = Precision(resolve_precision(config.precision, device), device)
    samples = SampleDataset(dataset, splits=("train",), fast=True)
    samples.image_size = load_size(config, samples)
    if config.keep == "best":
        require_labels(dataset, config.keep_metric)
    method = build_method(config)
    views = build_views(
        method.default_views(config.image_size) if config.views == "auto" else config.views,
        image_size=config.image_size,
        normalization=IMAGENET,
        **config.view_options,
    )
    files = None if checkpoints is None else CheckpointFiles(checkpoints, keep=config.keep_checkpoints)
    loaded = files.load() if files is not None and rank() == 0 else None
    state = broadcast_object(None if loaded is None else loaded[0])
    batch_size = _batch_size(config, method, views, samples, precision, state)
    record = Record(_length(config, len(samples) // batch_size))
    parts = _parts(config, method, views, batch_size, precision)
    if state is not None:
        restore(parts, record, config, state)
        log.info("going on after step %d of %d, from a checkpoint", record.done, record.length.total_steps)
    return Run(
        config,
        dataset,
        parts,
        record,
        make_batches(config, samples, batch_size, device),
        Kept(parts, IMAGENET, _plain(config, device)),
        Timing(device, precision.dtype),
        monitor,
        stop,
        batch_size=batch_size,
        num_samples=len(samples),
        files=files,
        trace=trace,
    )


def build_method(config: PretrainConfig) -> Method:
    """Build the method with its backbone, on the CPU.

    Raises:
        ConfigError: If a name or an option is wrong.
    """
    cls = method_class(check_choice(config.method, METHODS, name="pretrain.method"))
    try:
        options = cls.Options(**config.method_options)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"pretrain.method_options.{'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    backbone = build_backbone(
        config.backbone, image_size=config.image_size, seed=config.seed, weights=config.weights
    )
    make: Any = cls
    method: Method = make(backbone, options)
    return method


def _parts(
    config: PretrainConfig, method: Method, views: Views, batch_size: int, precision: Precision
) -> Parts:
    device = precision.device
    method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    method.train()
    synchronised(method)
    average = WeightAverage(method.kept_backbone, config.ema_decay) if config.ema_decay > 0 else None
    if config.sharding == "fsdp":
        if average is not None:
            raise ConfigError("pretrain.ema_decay cannot be used with pretrain.sharding: fsdp; set it to 0")
        shard(method)
    if config.compile != "none":
        method.backbone.compile(mode=None if config.compile == "default" else config.compile)
    name = method.default_optimizer if config.optimizer == "auto" else config.optimizer
    decay = method.default_weight_decay if config.weight_decay is None else config.weight_decay
    optimizer = build_optimizer(
        name,
        method,
        lr=config.lr if config.lr is not None else method.default_lr(name, batch_size),
        weight_decay=decay,
        layer_decay=config.layer_decay,
        options=config.optimizer_options,
    )
    return Parts(
        method,
        views,
        optimizer,
        Schedule(optimizer, warmup_epochs=config.warmup_epochs),
        precision,
        seed=config.seed,
        accumulate=config.accumulate,
        clip_grad_norm=config.clip_grad_norm,
        average=average,
        wrapped=None if config.sharding == "fsdp" else averaging_gradients(method, device),
    )


def _batch_size(
    config: PretrainConfig,
    method: Method,
    views: Views,
    samples: SampleDataset,
    precision: Precision,
    state: dict[str, Any] | None,
) -> int:
    wanted = config.batch_size
    if wanted == "find":
        if state is not None:
            return int(state["batch_size"])
        assert samples.image_size is not None
        name = method.default_optimizer if config.optimizer == "auto" else config.optimizer
        found = find_batch_size(
            method,
            views,
            optimizer=name,
            image_size=samples.image_size,
            precision=precision,
            most=len(samples) // (world_size() * config.accumulate),
        )
        wanted = broadcast_object(found) * world_size() * config.accumulate
    return global_batch_size(wanted, num_samples=len(samples), accumulate=config.accumulate)


def _length(config: PretrainConfig, steps_per_epoch: int) -> Length:
    steps = config.max_steps if config.max_steps is not None else steps_of(config.epochs, steps_per_epoch)
    return Length(steps, steps_per_epoch)


def _plain(config: PretrainConfig, device: torch.device) -> nn.Module | None:
    if config.sharding == "none":
        return None
    return build_backbone(config.backbone, image_size=config.image_size).to(device)
