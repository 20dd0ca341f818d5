"""The pretrain stage: a data set in, a backbone out."""

import csv
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from sslcore.augment import IMAGENET, build_views
from sslcore.backbones import build_backbone, save_backbone
from sslcore.choices import check_choice
from sslcore.config import PretrainConfig
from sslcore.data import EpochSampler, SampleDataset, image_loader, read_dataset_info
from sslcore.devices import resolve_device, resolve_precision
from sslcore.errors import ConfigError, UserError
from sslcore.methods import METHODS, method_class
from sslcore.monitor import SILENT, Monitor
from sslcore.training.loop import Epoch, train
from sslcore.training.online import OnlineEvaluation
from sslcore.training.optimizers import build_optimizer
from sslcore.training.schedules import steps_of

__all__ = ["PretrainReport", "pretrain"]

log = logging.getLogger(__name__)

COLUMNS = ("epoch", "loss", "lr", "knn_accuracy", "feature_std", "effective_rank")


@dataclass(frozen=True)
class PretrainReport:
    """What a training run came to."""

    summary: str
    figures: Mapping[str, float] = field(default_factory=dict)


def pretrain(
    config: PretrainConfig, *, dataset: Path, output: Path, monitor: Monitor = SILENT
) -> PretrainReport:
    """Learn a backbone from the training split, without labels.

    Args:
        config: What is trained and for how long.
        dataset: Folder that ingest wrote.
        output: Empty folder; gets backbone.safetensors, model.json and history.csv.
        monitor: Told of steps and of metrics per epoch.

    Raises:
        UserError: If a setting is wrong or there are fewer than two training samples.
        NotLearningError: If the loss is not finite or the features collapse.
    """
    device = resolve_device(config.device)
    torch.manual_seed(config.seed)
    samples = SampleDataset(dataset, splits=("train",), image_size=_load_size(config, dataset))
    batch_size = _batch_size(config, len(samples))
    backbone = build_backbone(
        config.backbone, image_size=config.image_size, seed=config.seed, weights=config.weights
    )
    method = _build_method(config, backbone).to(device, memory_format=torch.channels_last)
    views = build_views(
        config.views, image_size=config.image_size, normalization=IMAGENET, **config.view_options
    )
    lr = config.lr if config.lr is not None else method.default_lr(config.optimizer, batch_size)
    steps_per_epoch = len(samples) // batch_size
    online = OnlineEvaluation(dataset, image_size=config.image_size)
    epochs = train(
        method,
        views,
        build_optimizer(config.optimizer, method, lr=lr, weight_decay=config.weight_decay),
        _batches(config, samples, batch_size, device),
        epochs=config.epochs,
        steps_per_epoch=steps_per_epoch,
        warmup_steps=steps_of(min(config.warmup_epochs, config.epochs / 10), steps_per_epoch),
        device=device,
        precision=resolve_precision(config.precision, device),
        generator=torch.Generator(device).manual_seed(config.seed),
        monitor=monitor,
    )
    history = _follow(config, epochs, online, backbone, device, monitor)
    _write_history(output / "history.csv", history)
    final = {name: value for name, value in history[-1].items() if name not in ("epoch", "lr")}
    info = save_backbone(
        output,
        backbone,
        backbone=config.backbone,
        image_size=config.image_size,
        method=config.method,
        normalization=IMAGENET,
        config=config.model_dump(mode="json"),
        dataset_fingerprint=read_dataset_info(dataset).fingerprint,
        metrics=final,
    )
    return PretrainReport(_summary(config, batch_size, len(samples), info.model_id, final), final)


def _follow(
    config: PretrainConfig,
    epochs: Iterator[Epoch],
    online: OnlineEvaluation,
    backbone: nn.Module,
    device: torch.device,
    monitor: Monitor,
) -> list[dict[str, float]]:
    history: list[dict[str, float]] = []
    for epoch in epochs:
        row: dict[str, float] = {"epoch": epoch.number, "loss": epoch.loss, "lr": epoch.lr}
        if epoch.number % config.eval_every_epochs == 0 or epoch.number == config.epochs:
            row |= online.measure(backbone, device)
        history.append(row)
        speed = {"seconds": epoch.seconds, "images_per_second": epoch.num_images / epoch.seconds}
        monitor.metrics(epoch.number, {**row, **speed})
        shown = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
        log.info("%s  (%.0f images/s)", shown, speed["images_per_second"])
    return history


def _build_method(config: PretrainConfig, backbone: nn.Module) -> Any:
    cls = method_class(check_choice(config.method, METHODS, name="pretrain.method"))
    try:
        options = cls.Options(**config.method_options)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"pretrain.method_options.{'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    return cls(backbone, options)


def _load_size(config: PretrainConfig, dataset: Path) -> int:
    """Return the side at which images are read: an eighth more than a view, as far as they have it."""
    sides = SampleDataset(dataset, splits=("train",)).manifest[["width", "height"]].min(axis=1)
    native = int(sides.median()) if len(sides) else config.image_size
    return min(max(config.image_size, native), round(config.image_size * 8 / 7))


def _batch_size(config: PretrainConfig, num_samples: int) -> int:
    if num_samples < 2:
        raise UserError(
            f"there are {num_samples} training samples and at least 2 are needed: add images to the source"
        )
    return min(config.batch_size, num_samples)


def _batches(
    config: PretrainConfig, samples: SampleDataset, batch_size: int, device: torch.device
) -> Callable[[int], Iterator[Tensor]]:
    """Return a function from an epoch to its batches; what fits into memory is decoded once."""
    assert samples.image_size is not None
    sampler = EpochSampler(len(samples), shuffle=True, seed=config.seed)
    needed = len(samples) * 3 * samples.image_size**2
    if needed <= config.cache_megabytes * 1e6:
        loader = image_loader(samples, batch_size=512, num_workers=config.num_workers)
        cached = torch.cat([images for images, _ in loader]).to(device)

        def from_memory(epoch: int) -> Iterator[Tensor]:
            sampler.set_epoch(epoch)
            order = torch.tensor(list(sampler), device=device)
            for start in range(0, len(cached) - batch_size + 1, batch_size):
                yield cached[order[start : start + batch_size]]

        return from_memory
    loader = image_loader(
        samples,
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=config.num_workers,
        seed=config.seed,
    )

    def from_disk(epoch: int) -> Iterator[Tensor]:
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return (images for images, _ in loader)

    return from_disk


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def _summary(
    config: PretrainConfig, batch_size: int, num_samples: int, model_id: str, final: Mapping[str, float]
) -> str:
    smaller = (
        f" (batches of {batch_size}: there are no more samples)" if batch_size < config.batch_size else ""
    )
    knn = f", kNN accuracy {final['knn_accuracy']:.3f}" if "knn_accuracy" in final else ""
    return (
        f"{config.method} trained {config.backbone} for {config.epochs} epochs on {num_samples} samples"
        f"{smaller}: loss {final['loss']:.3f}{knn}; model {model_id}"
    )
