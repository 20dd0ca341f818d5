"""Which samples the backbone is judged on: what is labelled in each split, classes as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from sslcore.labels import read_labels

__all__ = ["LabelledSamples", "labelled_samples"]

HELDOUT = "heldout.parquet"


@dataclass(frozen=True)
class LabelledSamples:
    """The labelled samples of a data set, in its order."""

    classes: tuple[str, ...]
    """Names of the classes, sorted; a sample's class is a number into them."""
    indices: tuple[int, ...]
    """Rows of the manifest [N]."""
    sample_ids: tuple[str, ...]
    """Ids [N]."""
    targets: Tensor
    """Classes, int64 [N]."""
    splits: Mapping[str, Tensor]
    """Positions in the above of the samples of train, val and test, int64 each."""

    def targets_of(self, split: str) -> Tensor:
        """Return the classes of a split, int64."""
        return self.targets[self.splits[split]]

    def num_train_classes(self) -> int:
        """Return how many classes the training samples have."""
        return len(torch.unique(self.targets_of("train")))

    def num_unknown(self, split: str) -> int:
        """Return how many samples of a split are of a class without a training sample."""
        return int((~torch.isin(self.targets_of(split), self.targets_of("train"))).sum())


def labelled_samples(manifest: pd.DataFrame, *, dataset: Path, labels: Path) -> LabelledSamples:
    """Find the labelled samples.

    Labels are the data set's own and those of ``labels``, which win; held-out labels count only for
    samples in the val and test splits that have no other, so nothing is ever fitted to them.

    Args:
        manifest: The data set's manifest.
        dataset: The data set's folder, where held-out labels are.
        labels: The workspace's ``data/labels``; may be missing.

    Raises:
        UserError: If a label file cannot be used.
    """
    known = _heldout(manifest, dataset) | read_labels(labels, manifest)
    names = [known.get(sample_id) for sample_id in manifest["sample_id"]]
    rows = [row for row, name in enumerate(names) if name is not None]
    classes = tuple(sorted({name for name in names if name is not None}))
    number = {name: index for index, name in enumerate(classes)}
    split_of = manifest["split"].tolist()
    return LabelledSamples(
        classes=classes,
        indices=tuple(rows),
        sample_ids=tuple(manifest["sample_id"].iloc[rows]),
        targets=torch.tensor([number[str(names[row])] for row in rows], dtype=torch.int64),
        splits={
            split: torch.tensor(
                [position for position, row in enumerate(rows) if split_of[row] == split], dtype=torch.int64
            )
            for split in ("train", "val", "test")
        },
    )


def _heldout(manifest: pd.DataFrame, dataset: Path) -> dict[str, str]:
    path = dataset / HELDOUT
    if not path.is_file():
        return {}
    table = pd.read_parquet(path)
    judged = set(manifest["sample_id"][manifest["split"].isin(["val", "test"])])
    return {
        sample_id: str(label)
        for sample_id, label in zip(table["sample_id"], table["label"], strict=True)
        if sample_id in judged
    }
