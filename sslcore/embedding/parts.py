"""One part of the embeddings after the other, by whichever process writes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.nn.functional import normalize

from sslcore.backbones import load_backbone
from sslcore.config import EmbedConfig
from sslcore.data import SampleDataset, read_dataset_info
from sslcore.devices import resolve_device
from sslcore.embedding.extract import extract_features
from sslcore.embedding.features import feature_dim
from sslcore.embedding.reuse import EarlierVectors
from sslcore.embedding.store import write_part
from sslcore.errors import UserError
from sslcore.monitor import Monitor

__all__ = ["PartWriter", "Task"]


@dataclass(frozen=True)
class Task:
    """What is embedded, with what, and where to.

    Attributes:
        config: How.
        dataset: The data set's folder.
        backbone: The folder of the trained network.
        place: Where parts are written.
        earlier: Folders of earlier vectors, the last one that has a sample is asked.
    """

    config: EmbedConfig
    dataset: Path
    backbone: Path
    place: Path
    earlier: tuple[Path | None, ...]


class PartWriter:
    """Writes parts of a task; memory grows with the rows of a part, and with the ids of all samples.

    Attributes:
        info: Of the network.
        dim: Length of a vector.
        total: Samples in all.
        earlier: Vectors that were made before.
        num_parts: At least one.

    Raises:
        ConfigError: If the network has no such features as are asked for.
        UserError: If a folder is not what it should be.
    """

    def __init__(self, task: Task) -> None:
        self.task, config = task, task.config
        module, self.info = load_backbone(task.backbone)
        self._device = resolve_device(config.device)
        self._module = module.to(self._device)
        self._samples = SampleDataset(task.dataset, image_size=self.info.image_size)
        self._fingerprint = read_dataset_info(task.dataset).fingerprint
        self.dim = feature_dim(self._module, self.info, config.features, self._device)
        self.total = len(self._samples.manifest)
        self.num_parts = -(-max(self.total, 1) // config.rows_per_file)
        self.earlier = EarlierVectors(
            task.earlier,
            model_id=self.info.model_id,
            dtype=config.dtype,
            normalized=config.normalize,
            embed_dim=self.dim,
            features=config.features,
        )

    def write(self, part: int, monitor: Monitor) -> int:
        """Write a part and return how many of its vectors were computed and not taken over.

        Args:
            part: 0 to num_parts - 1.
            monitor: Told after each batch of samples.

        Raises:
            UserError: If the network's features are not finite, or ``embed.dtype`` cannot hold them.
        """
        config = self.task.config
        start = part * config.rows_per_file
        rows = self._samples.manifest.iloc[start : start + config.rows_per_file]
        vectors, computed = self._vectors(rows, start, monitor)
        write_part(
            self.task.place / f"part-{part:05d}.parquet",
            sample_ids=rows["sample_id"].tolist(),
            filenames=rows["filename"].tolist(),
            labels=[None if pd.isna(label) else str(label) for label in rows["label"]],
            vectors=vectors,
            model_id=self.info.model_id,
            dataset_fingerprint=self._fingerprint,
            normalized=config.normalize,
            features=config.features,
        )
        monitor.progress(start + len(rows), self.total, "samples")
        return computed

    def _vectors(self, rows: pd.DataFrame, start: int, monitor: Monitor) -> tuple[NDArray[Any], int]:
        """Return the vectors of one part and how many of them were computed now."""
        vectors = np.empty((len(rows), self.dim), self.task.config.dtype)
        missing = self.earlier.fill(rows["sample_id"].tolist(), vectors)
        done, reused = 0, len(rows) - len(missing)
        for batch in self._computed([start + position for position in missing]):
            vectors[missing[done : done + len(batch)]] = batch
            done += len(batch)
            monitor.progress(start + reused + done, self.total, "samples")
        return vectors, len(missing)

    def _computed(self, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        """Yield the vectors of samples as they are stored, a batch at a time, [B, D]."""
        config = self.task.config
        for batch in extract_features(
            self._module,
            self.info,
            self._samples,
            indices,
            batch_size=config.batch_size,
            num_workers=config.num_workers,
            device=self._device,
            features=config.features,
        ):
            unit = normalize(batch, dim=1) if config.normalize else batch
            yield self._stored(unit.numpy())

    def _stored(self, vectors: NDArray[np.float32]) -> NDArray[Any]:
        dtype = self.task.config.dtype
        with np.errstate(over="ignore"):
            stored: NDArray[Any] = vectors.astype(dtype)
        if not np.isfinite(stored).all():
            raise UserError(
                f"model {self.info.model_id} gives features up to {np.abs(vectors).max():.3g}, more than "
                f"{dtype} holds: set embed.dtype: float32 or embed.normalize: true"
            )
        return stored
