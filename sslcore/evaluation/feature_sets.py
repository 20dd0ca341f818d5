"""What the backbone is compared with, as features of the same labelled samples."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sslcore.backbones import ModelInfo, build_backbone, load_backbone
from sslcore.config import EvaluateConfig
from sslcore.data import SampleDataset
from sslcore.devices import resolve_device
from sslcore.embedding import Embeddings, batches_of, extract_features
from sslcore.embedding.features import feature_dim
from sslcore.errors import ConfigError, UserError
from sslcore.monitor import Monitor

__all__ = ["FeatureRequest", "champion_features", "embedded_features", "random_features", "raw_pixels"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureRequest:
    """Which samples, and how to make features of them."""

    dataset: Path
    """The data set's folder."""
    indices: Sequence[int]
    """Rows of the manifest, in the order of the features [N]."""
    config: EvaluateConfig
    """Batch size, workers, device, seed."""
    features: str
    """Which features of a network: those that were embedded."""
    unit_length: bool
    """Whether the embeddings are normalized: then all networks' features are, to be comparable."""
    monitor: Monitor
    """Told after each batch."""


def embedded_features(embeddings: Embeddings, sample_ids: Sequence[str]) -> Tensor:
    """Return the stored vectors of samples, float32 [N, D].

    Raises:
        UserError: If a sample has none.
    """
    row_of = {sample_id: row for row, sample_id in enumerate(embeddings.sample_ids)}
    missing = [sample_id for sample_id in sample_ids if sample_id not in row_of]
    if missing:
        raise UserError(f"{len(missing)} labelled samples have no embedding; run: sslflow embed")
    rows = np.array([row_of[sample_id] for sample_id in sample_ids], dtype=np.int64)
    return torch.from_numpy(embeddings.vectors[rows])


def random_features(given: FeatureRequest, info: ModelInfo) -> Tensor:
    """Return features of the same architecture with random weights, float32 [N, D]."""
    config = given.config
    backbone = build_backbone(info.backbone, image_size=info.image_size, seed=config.seed)
    return _network_features(given, backbone, info, unit="samples (random weights)")


def champion_features(given: FeatureRequest, champion: Path) -> tuple[Tensor, str]:
    """Return features of the network in a folder like models/backbone, and which they are.

    Returns:
        float32 [N, D], and ``given.features``; or ``pooled`` where the network has no such features, as after
        a change of architecture.
    """
    backbone, info = load_backbone(champion)
    device = resolve_device(given.config.device)
    try:
        feature_dim(backbone.to(device), info, given.features, device)
    except ConfigError:
        logger.warning(
            "the champion (model %s, %s) has no features '%s': it is measured by its pooled ones",
            info.model_id,
            info.backbone,
            given.features,
        )
        given = replace(given, features="pooled")
    return _network_features(given, backbone, info, unit="samples (champion)"), given.features


def raw_pixels(given: FeatureRequest) -> Tensor:
    """Return small images as vectors, float32 [N, 3 S S] in [0, 1]."""
    config = given.config
    samples = SampleDataset(given.dataset, image_size=config.raw_pixels_size)
    batches = batches_of(samples, given.indices, batch_size=config.batch_size, num_workers=config.num_workers)
    vectors = []
    for batch in batches:
        vectors.append(batch.flatten(1).float() / 255)
        given.monitor.progress(_count(vectors), len(given.indices), "samples (raw pixels)")
    return torch.cat(vectors)


def _network_features(given: FeatureRequest, backbone: nn.Module, info: ModelInfo, *, unit: str) -> Tensor:
    config = given.config
    device = resolve_device(config.device)
    batches = extract_features(
        backbone.to(device),
        info,
        SampleDataset(given.dataset, image_size=info.image_size),
        given.indices,
        batch_size=config.batch_size,
        num_workers=config.num_workers,
        device=device,
        features=given.features,
    )
    vectors = []
    for batch in batches:
        vectors.append(normalize(batch, dim=1) if given.unit_length else batch)
        given.monitor.progress(_count(vectors), len(given.indices), unit)
    return torch.cat(vectors)


def _count(batches: Sequence[Tensor]) -> int:
    return sum(len(batch) for batch in batches)
