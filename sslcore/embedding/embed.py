"""The embed step: a vector for every sample, written in parts, and only new samples computed."""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import normalize

from sslcore.backbones import ModelInfo, load_backbone
from sslcore.config import EmbedConfig
from sslcore.data import SampleDataset, read_dataset_info
from sslcore.devices import resolve_device
from sslcore.embedding.extract import extract_features
from sslcore.embedding.other_formats import write_csv, write_npy
from sslcore.embedding.reuse import EarlierVectors
from sslcore.embedding.store import part_paths, write_part
from sslcore.monitor import SILENT, Monitor

__all__ = ["EmbedReport", "embed"]


@dataclass(frozen=True)
class EmbedReport:
    """What was embedded."""

    summary: str
    """A line for a person."""
    figures: dict[str, float]
    """num_samples, num_new, num_reused, embed_dim, and images_per_second when there were new ones."""
    model_id: str
    """Version of the model."""


@dataclass(frozen=True)
class _Network:
    """What turns samples into vectors."""

    backbone: nn.Module
    info: ModelInfo
    samples: SampleDataset
    device: torch.device
    config: EmbedConfig

    def vectors(self, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        """Yield the vectors of samples as they are stored, a batch at a time, [B, D]."""
        config = self.config
        for batch in extract_features(
            self.backbone,
            self.info,
            self.samples,
            indices,
            batch_size=config.batch_size,
            num_workers=config.num_workers,
            device=self.device,
        ):
            unit = normalize(batch, dim=1) if config.normalize else batch
            yield unit.numpy().astype(config.dtype)


def embed(
    config: EmbedConfig,
    *,
    dataset: Path,
    backbone: Path,
    output: Path,
    previous: Path | None = None,
    work: Path | None = None,
    monitor: Monitor = SILENT,
) -> EmbedReport:
    """Write a vector for every sample of a data set to ``output/part-*.parquet``.

    Vectors of the same model, type and normalization are taken over from ``previous``, with names and
    labels as the data set has them now. Memory does not grow with the data set, but for its ids.

    Args:
        config: How.
        dataset: The data set's folder.
        backbone: The folder of the trained network.
        output: An empty folder.
        previous: Embeddings of an earlier run.
        work: Folder for parts until all are there, on the same disk as ``output``; what a killed run left
            in it is taken over. None keeps nothing of a killed run.
        monitor: Told after each batch of samples.

    Raises:
        UserError: If the network's features are not finite, or a folder is not what it should be.
    """
    module, info = load_backbone(backbone)
    device = resolve_device(config.device)
    samples = SampleDataset(dataset, image_size=info.image_size)
    network = _Network(module.to(device), info, samples, device, config)
    place = output if work is None else work
    earlier = EarlierVectors(
        (previous, None if work is None else _set_aside(work)),
        model_id=info.model_id,
        dtype=config.dtype,
        normalized=config.normalize,
        embed_dim=info.embed_dim,
    )
    fingerprint = read_dataset_info(dataset).fingerprint
    started, num_new, total = time.perf_counter(), 0, len(samples.manifest)
    for part, start in enumerate(range(0, max(total, 1), config.rows_per_file)):
        rows = samples.manifest.iloc[start : start + config.rows_per_file]
        vectors, computed = _part_vectors(rows, start, network, earlier, monitor)
        num_new += computed
        write_part(
            place / f"part-{part:05d}.parquet",
            sample_ids=rows["sample_id"].tolist(),
            filenames=rows["filename"].tolist(),
            labels=[None if pd.isna(label) else str(label) for label in rows["label"]],
            vectors=vectors,
            model_id=info.model_id,
            dataset_fingerprint=fingerprint,
            normalized=config.normalize,
        )
        monitor.progress(start + len(rows), total, "samples")
    if work is not None:
        _move_parts(work, output)
    for name in config.formats:
        {"csv": write_csv, "npy": write_npy}[name](output)
    return _report(info, total, num_new, time.perf_counter() - started)


def _set_aside(work: Path) -> Path:
    """Move the parts that a killed run left to where this run does not write over them; return where."""
    earlier = work / "earlier"
    earlier.mkdir(parents=True, exist_ok=True)
    for path in part_paths(work):
        path.replace(earlier / path.name)
    return earlier


def _move_parts(work: Path, output: Path) -> None:
    """Move the parts of this run; what an earlier one left is of no use any more."""
    for path in part_paths(work):
        path.rename(output / path.name)
    shutil.rmtree(work)


def _part_vectors(
    rows: pd.DataFrame, start: int, network: _Network, earlier: EarlierVectors, monitor: Monitor
) -> tuple[NDArray[Any], int]:
    """Return the vectors of one part and how many of them were computed now."""
    vectors = np.empty((len(rows), network.info.embed_dim), network.config.dtype)
    missing = earlier.fill(rows["sample_id"].tolist(), vectors)
    done, reused, total = 0, len(rows) - len(missing), len(network.samples.manifest)
    for batch in network.vectors([start + position for position in missing]):
        vectors[missing[done : done + len(batch)]] = batch
        done += len(batch)
        monitor.progress(start + reused + done, total, "samples")
    return vectors, len(missing)


def _report(info: ModelInfo, total: int, num_new: int, seconds: float) -> EmbedReport:
    figures = {
        "num_samples": float(total),
        "num_new": float(num_new),
        "num_reused": float(total - num_new),
        "embed_dim": float(info.embed_dim),
    }
    summary = f"nothing new for model {info.model_id}"
    if num_new:
        figures["images_per_second"] = round(num_new / max(seconds, 1e-9), 1)
        summary = f"{num_new} samples embedded in {info.embed_dim} dimensions by model {info.model_id}"
    if num_new < total:
        summary += f"; {total - num_new} vectors taken over from before"
    return EmbedReport(summary=summary, figures=figures, model_id=info.model_id)
