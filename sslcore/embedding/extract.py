"""From images to features: the forward passes that embed and evaluate share."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from sslcore.augment import normalize
from sslcore.backbones import ModelInfo
from sslcore.data import SampleDataset
from sslcore.embedding.features import feature_function
from sslcore.errors import UserError

__all__ = ["batches_of", "extract_features"]


def batches_of(
    dataset: SampleDataset, indices: Sequence[int], *, batch_size: int, num_workers: int
) -> Iterator[Tensor]:
    """Yield images of a data set in the given order.

    Args:
        dataset: Opened with an image size, so that images stack.
        indices: Which, and in which order.
        batch_size: Images at a time; the last batch may be smaller.
        num_workers: Processes that decode; none more than there are batches, and none for a single one.

    Yields:
        uint8 [B, 3, S, S].
    """
    num_batches = -(-len(indices) // batch_size)
    workers = min(num_workers, num_batches) if num_batches > 1 else 0
    loader: DataLoader[tuple[Tensor, int]] = DataLoader(
        Subset(dataset, list(indices)),
        batch_size=batch_size,
        shuffle=False,
        num_workers=workers,
        generator=torch.Generator(),  # a loader seeds its workers; not from the caller's random state
    )
    for images, _ in loader:
        yield images


def extract_features(
    backbone: nn.Module,
    info: ModelInfo,
    dataset: SampleDataset,
    indices: Sequence[int],
    *,
    batch_size: int,
    num_workers: int,
    device: torch.device,
    features: str = "pooled",
) -> Iterator[Tensor]:
    """Yield the features of samples, a batch at a time, in the given order.

    Args:
        backbone: A network on ``device``; its mode is set to evaluation.
        info: Names the normalization the network was trained with.
        dataset: Opened with ``info.image_size``.
        indices: Which samples, and in which order.
        batch_size: Samples per forward pass.
        num_workers: Processes that decode; 0 decodes here.
        device: Where the network is.
        features: Which, as in `feature_function`.

    Yields:
        float32 [B, D] on the CPU.

    Raises:
        ConfigError: If the network has no such features.
        UserError: If a feature is not finite: the weights are broken.
    """
    backbone.eval()
    extract = feature_function(backbone, features)
    for images in batches_of(dataset, indices, batch_size=batch_size, num_workers=num_workers):
        with torch.inference_mode():
            vectors = extract(normalize(images.to(device), info.normalization)).float().cpu()
        if not bool(torch.isfinite(vectors).all()):
            raise UserError(
                f"model {info.model_id} gives features that are not finite; train it again: sslflow pretrain"
            )
        yield vectors
