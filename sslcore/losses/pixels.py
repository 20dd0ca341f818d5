"""Pixels as targets: of an image patch by patch, and the losses on hidden ones.

Source: He et al. 2021 (MAE), https://arxiv.org/abs/2111.06377, section 3 ("reconstruction target"), and Xie
et al. 2021 (SimMIM), https://arxiv.org/abs/2111.09886, section 3.4.
"""

from torch import Tensor
from torch.nn import functional

from sslcore.losses.precision import in_fp32

__all__ = ["masked_l1", "masked_mse", "patchify"]


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images [B, C, H, W] into patches [B, N, patch_size ** 2 * C], row by row, pixel before channel."""
    batch, channels, height, width = images.shape
    rows, columns = height // patch_size, width // patch_size
    cut = images.reshape(batch, channels, rows, patch_size, columns, patch_size)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, patch_size**2 * channels)


@in_fp32
def masked_mse(predictions: Tensor, targets: Tensor, *, normalize: bool = True) -> Tensor:
    """Return the mean squared error of hidden patches, in fp32 (MAE).

    Args:
        predictions: For hidden patches, [B, M, P].
        targets: Their pixels, [B, M, P].
        normalize: Whether each patch is brought to mean 0 and variance 1 (its pixels' unbiased one) first.
    """
    if normalize:
        variance, mean = targets.var(dim=-1, keepdim=True), targets.mean(dim=-1, keepdim=True)
        targets = (targets - mean) / (variance + 1e-6).sqrt()
    return functional.mse_loss(predictions, targets)


@in_fp32
def masked_l1(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean absolute error of hidden patches [B, M, P], in fp32 (SimMIM)."""
    return functional.l1_loss(predictions, targets)
