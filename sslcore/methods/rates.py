"""Peak learning rates, scaled by the batch size."""

from math import sqrt

__all__ = ["REFERENCE_BATCH", "scaled_lr"]

REFERENCE_BATCH = 256
"""Batch size that learning rates are given for."""


def scaled_lr(optimizer: str, batch_size: int, *, sgd: float, lars: float, adamw: float = 1e-3) -> float:
    """Return the peak learning rate for an optimizer and a batch size.

    In proportion to the batch size for SGD and LARS (Goyal et al. 2017, https://arxiv.org/abs/1706.02677), to
    its square root for AdamW and whatever else there is (Malladi et al. 2022, https://arxiv.org/abs/2205.10287).

    Args:
        optimizer: Name of the optimizer.
        batch_size: Samples of a step, of all processes together.
        sgd: Rate of SGD with momentum at 256 samples.
        lars: Rate of LARS at 256.
        adamw: Rate of AdamW at 256.
    """
    if optimizer in ("sgd", "lars"):
        return (sgd if optimizer == "sgd" else lars) * batch_size / REFERENCE_BATCH
    return adamw * sqrt(batch_size / REFERENCE_BATCH)
