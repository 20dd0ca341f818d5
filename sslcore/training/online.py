"""Is it learning? What is measured on held-out samples while training, by the backbone alone."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from sslcore.augment import IMAGENET, Normalization, normalize
from sslcore.data import SampleDataset
from sslcore.errors import ConfigError, NotLearningError
from sslcore.evaluation.collapse import alignment, effective_rank, feature_std, uniformity
from sslcore.evaluation.knn import knn_accuracy
from sslcore.training.fast_probe import ridge_predict
from sslcore.training.flops import count_flops
from sslcore.training.view_stream import Views

__all__ = ["OnlineEvaluation", "affordable_images", "require_labels"]

log = logging.getLogger(__name__)

MOST_IMAGES = 5000
LEAST_IMAGES = 64
MOST_PAIRS = 1024
"""Samples of which two views are made for alignment, and whose pairs are taken for uniformity."""
BATCH = 256
COLLAPSED = 1e-3
EFFICIENCY = 0.5
"""Allowance for kNN and the probe, and for small batches: that part of the allowed arithmetic is planned."""


class OnlineEvaluation:
    """kNN and probe accuracy, alignment, uniformity, effective rank and spread of a backbone's features.

    Accuracies are of validation samples against labelled training samples, and are there if both have labels;
    the test split is never touched. At most 5,000 samples of each split are used, spread over it by name and
    decoded once. Without a validation split the other measures are taken on training samples.

    Args:
        dataset: An ingested data set.
        image_size: Side in pixels.
        normalization: Of the backbone's input.
        views: Makes the two views for alignment; without them it is left out.
        most_images: At most so many samples, of both splits together.
    """

    def __init__(
        self,
        dataset: Path,
        *,
        image_size: int,
        normalization: Normalization = IMAGENET,
        views: Views | None = None,
        most_images: int = 2 * MOST_IMAGES,
    ) -> None:
        self.normalization = normalization
        self.views = views
        bank = SampleDataset(dataset, splits=("train",), image_size=image_size)
        held_out = SampleDataset(dataset, splits=("val",), image_size=image_size)
        self._classes = sorted(set(bank.manifest["label"].dropna()))
        self.has_labels = len(self._classes) > 1 and bool(self._labelled(bank) and self._labelled(held_out))
        watched = held_out if len(held_out) >= 2 else bank
        most = max(LEAST_IMAGES, most_images // 2 if self.has_labels else most_images)
        rows = _spread(range(len(watched)), min(most, MOST_IMAGES))
        self._images = watched.batch(rows)[0]
        if self.has_labels:
            known = set(self._labelled(held_out))
            self._rows = [place for place, row in enumerate(rows) if row in known]
            self.has_labels = bool(self._rows)
        if self.has_labels:
            self._labels = self._codes(held_out, [rows[place] for place in self._rows])
            bank_rows = _spread(self._labelled(bank), min(most, MOST_IMAGES))
            self._bank = bank.batch(bank_rows)[0]
            self._bank_labels = self._codes(bank, bank_rows)
        self.num_images = len(self._images) + (len(self._bank) if self.has_labels else 0)

    def _labelled(self, samples: SampleDataset) -> list[int]:
        known = samples.manifest["label"].isin(self._classes).to_numpy(dtype=bool)
        return [int(row) for row in np.flatnonzero(known)]

    def _codes(self, samples: SampleDataset, rows: list[int]) -> Tensor:
        code = {name: number for number, name in enumerate(self._classes)}
        return torch.tensor([code[name] for name in samples.manifest["label"].iloc[rows]])

    def measure(self, backbone: nn.Module, device: torch.device) -> dict[str, float]:
        """Return the measures; the backbone is left as it was.

        Returns:
            knn_accuracy and probe_accuracy (if there are labels), alignment (if there are views), uniformity,
            effective_rank, feature_std.

        Raises:
            NotLearningError: If all features have become (nearly) the same, or one is not finite.
        """
        training = backbone.training
        backbone.eval()
        try:
            features = self._features(backbone, self._images, device)
            measured = self._collapse_measures(features)
            if self.views is not None:
                measured |= self._alignment(backbone, device)
            if self.has_labels:
                measured = self._accuracies(features, self._features(backbone, self._bank, device)) | measured
        finally:
            backbone.train(training)
        return measured

    def _collapse_measures(self, features: Tensor) -> dict[str, float]:
        spread, rank = feature_std(features), effective_rank(features)
        even = 1 / math.sqrt(features.shape[1])
        if not spread >= COLLAPSED * even:
            raise NotLearningError(
                f"the features have collapsed: over {len(features)} images the standard deviation of their "
                f"directions is {spread:.2g} ({even:.2g} is an even spread), their effective rank {rank:.3g} "
                f"of {min(features.shape)}; try a lower pretrain.lr, more pretrain.warmup_epochs, a larger "
                "pretrain.batch_size or another pretrain.method"
            )
        few = features[:MOST_PAIRS]
        return {"uniformity": uniformity(few), "effective_rank": rank, "feature_std": spread}

    def _alignment(self, backbone: nn.Module, device: torch.device) -> dict[str, float]:
        assert self.views is not None
        images = self._images[:MOST_PAIRS]
        generator = Generator(device).manual_seed(0)
        first: list[Tensor] = []
        second: list[Tensor] = []
        for part in torch.split(images, BATCH):
            views = self.views(part.to(device), generator)
            if len(views) < 2 or views[0].shape != views[1].shape:
                return {}
            first.append(_embedded(backbone, views[0]))
            second.append(_embedded(backbone, views[1]))
        return {"alignment": alignment(torch.cat(first), torch.cat(second))}

    def _accuracies(self, features: Tensor, bank: Tensor) -> dict[str, float]:
        queries, classes = features[self._rows], len(self._classes)
        predicted = ridge_predict(bank, self._bank_labels, queries, num_classes=classes)
        return {
            "knn_accuracy": knn_accuracy(bank, self._bank_labels, queries, self._labels, num_classes=classes),
            "probe_accuracy": float((predicted == self._labels).double().mean()),
        }

    def _features(self, backbone: nn.Module, images: Tensor, device: torch.device) -> Tensor:
        parts = []
        for part in torch.split(images, BATCH):
            batch = normalize(part.to(device), self.normalization)
            parts.append(_embedded(backbone, batch))
        return torch.cat(parts)


def require_labels(dataset: Path, metric: str) -> None:
    """Check that a metric can be measured on a data set.

    Raises:
        ConfigError: If it is an accuracy and the training or the validation split has no labels.
    """
    if not metric.endswith("accuracy"):
        return
    train, val = (
        SampleDataset(dataset, splits=(split,)).manifest["label"].dropna() for split in ("train", "val")
    )
    if train.nunique() < 2 or not val.isin(train).any():
        raise ConfigError(
            f"pretrain.keep: best needs {metric}, and there are no labels in the training and validation "
            "splits; set pretrain.keep_metric: effective_rank or pretrain.keep: last"
        )


def affordable_images(
    backbone: nn.Module,
    *,
    image_size: int,
    flops_between: float,
    share: float,
    device: torch.device,
    counted: bool = True,
) -> int:
    """Return how many images can be embedded at a time so that measuring takes a share of the arithmetic.

    It goes by counted operations and not by a clock, so that equal settings give equal results.

    Args:
        backbone: What embeds them.
        image_size: Their side in pixels.
        flops_between: Of the training steps between two measurements, of one process; or, not ``counted``,
        as a
            multiple of what one image takes here.
        share: The most that measuring may add, for example 0.05.
        device: Where it is.
        counted: Whether ``flops_between`` is in operations.
    """
    if not counted:
        return int(EFFICIENCY * share * flops_between)
    training = backbone.training
    backbone.eval()
    _, flops = count_flops(
        lambda: _embedded(backbone, torch.zeros(2, 3, image_size, image_size, device=device))
    )
    backbone.train(training)
    return int(EFFICIENCY * share * flops_between / max(1.0, flops / 2))


@torch.no_grad()
def _embedded(backbone: nn.Module, batch: Tensor) -> Tensor:
    features: Tensor = backbone(batch)
    return features.float().cpu()


def _spread(rows: Sequence[int], most: int) -> list[int]:
    """Take at most so many, evenly over all."""
    if len(rows) <= most:
        return list(rows)
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, most)]
