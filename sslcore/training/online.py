"""Is it learning? What is measured on the validation split while training, by the backbone alone."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sslcore.augment import IMAGENET, Normalization, normalize
from sslcore.data import SampleDataset
from sslcore.errors import NotLearningError
from sslcore.evaluation.collapse import effective_rank, feature_std
from sslcore.evaluation.knn import knn_accuracy

__all__ = ["OnlineEvaluation"]

MOST_IMAGES = 5000
BATCH = 256
COLLAPSED = 1e-3


class OnlineEvaluation:
    """kNN accuracy (validation against labelled training samples) and two measures of collapse.

    At most 5,000 samples of each split are used, the first ones by file name, decoded once. Without a
    validation split the collapse measures are taken on training samples.

    Args:
        dataset: An ingested data set.
        image_size: Side in pixels.
        normalization: Of the backbone's input.
    """

    def __init__(self, dataset: Path, *, image_size: int, normalization: Normalization = IMAGENET) -> None:
        self.normalization = normalization
        bank = SampleDataset(dataset, splits=("train",), image_size=image_size)
        held_out = SampleDataset(dataset, splits=("val",), image_size=image_size)
        self._classes = sorted(set(bank.manifest["label"].dropna()))
        bank_rows = self._labelled_rows(bank)
        self._rows = self._labelled_rows(held_out)
        self.has_labels = len(self._classes) > 1 and bool(bank_rows) and bool(self._rows)
        watched = held_out if len(held_out) >= 2 else bank
        self._images = watched.batch(range(min(len(watched), MOST_IMAGES)))[0]
        if self.has_labels:
            self._bank = bank.batch(bank_rows)[0]
            self._bank_labels = self._codes(bank, bank_rows)
            self._labels = self._codes(held_out, self._rows)

    def _labelled_rows(self, samples: SampleDataset) -> list[int]:
        known = samples.manifest["label"].isin(self._classes).to_numpy(dtype=bool)[:MOST_IMAGES]
        return [int(row) for row in np.flatnonzero(known)]

    def _codes(self, samples: SampleDataset, rows: list[int]) -> Tensor:
        code = {name: number for number, name in enumerate(self._classes)}
        return torch.tensor([code[name] for name in samples.manifest["label"].iloc[rows]])

    def measure(self, backbone: nn.Module, device: torch.device) -> dict[str, float]:
        """Return knn_accuracy (if there are labels), feature_std and effective_rank.

        Raises:
            NotLearningError: If all features have become (nearly) the same.
        """
        training = backbone.training
        backbone.eval()
        features = self._features(backbone, self._images, device)
        bank = self._features(backbone, self._bank, device) if self.has_labels else None
        backbone.train(training)
        spread = feature_std(features)
        if spread < COLLAPSED / math.sqrt(features.shape[1]):
            raise NotLearningError(
                f"the features have collapsed: their standard deviation is {spread:.2g}; try a lower "
                "pretrain.lr, a larger pretrain.batch_size or another pretrain.method"
            )
        measured = {"feature_std": spread, "effective_rank": effective_rank(features)}
        if bank is not None:
            queries = features[self._rows]
            measured["knn_accuracy"] = knn_accuracy(
                bank, self._bank_labels, queries, self._labels, num_classes=len(self._classes)
            )
        return measured

    @torch.no_grad()
    def _features(self, backbone: nn.Module, images: Tensor, device: torch.device) -> Tensor:
        parts = []
        for start in range(0, len(images), BATCH):
            batch = normalize(images[start : start + BATCH].to(device), self.normalization)
            parts.append(backbone(batch).float().cpu())
        return torch.cat(parts)
