"""Batch norm over the whole batch of all processes, on any device.

PyTorch's own ``SyncBatchNorm`` works on GPUs only. This one is used elsewhere, so that what is tested with
two processes on a CPU is what runs on eight GPUs.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sslcore.distributed import sum_over_ranks, world_size

__all__ = ["AnyDeviceSyncBatchNorm", "convert_batch_norms"]


class AnyDeviceSyncBatchNorm(_BatchNorm):
    """A batch norm whose mean and variance are over the batches of all processes.

    As in `torch.nn.BatchNorm2d`, the variance is the biased one for normalizing and the unbiased one for the
    running statistics. Two sums over processes (of x, then of squared distances from the mean) keep float32
    as exact as in one process; gradients flow through both.

    Shapes: B samples of this process, C channels, any further dimensions.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm needs [B, C, ...], got {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalize [B, C, ...], the same B in all processes."""
        self._check_input_dim(input)
        if not (self.training or not self.track_running_stats) or world_size() == 1:
            return super().forward(input)
        x = input.float()
        dims = [0, *range(2, x.ndim)]
        count = world_size() * x.numel() // x.shape[1]
        mean_C = sum_over_ranks(x.sum(dims)) / count
        shape = [1, -1, *[1] * (x.ndim - 2)]
        centred = x - mean_C.view(shape)
        var_C = sum_over_ranks(centred.square().sum(dims)) / count
        self._follow(mean_C.detach(), var_C.detach(), count)
        normalized = centred * (var_C + self.eps).rsqrt().view(shape)
        if self.affine:
            normalized = normalized * self.weight.float().view(shape) + self.bias.float().view(shape)
        return normalized.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean_C: Tensor, var_C: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(var_C * (count / max(1, count - 1)), share)


def convert_batch_norms(module: nn.Module) -> nn.Module:
    """Replace each batch norm in a module, itself included, keeping parameters, buffers and their names.

    On a GPU PyTorch's own SyncBatchNorm takes the place.
    """
    if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm):
        return _converted(module)
    for name, child in module.named_children():
        replaced = convert_batch_norms(child)
        if replaced is not child:
            setattr(module, name, replaced)
    return module


def _converted(norm: _BatchNorm) -> nn.Module:
    on_gpu = any(each is not None and each.is_cuda for each in (norm.weight, norm.running_mean))
    cls = nn.SyncBatchNorm if on_gpu else AnyDeviceSyncBatchNorm
    made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    made.weight, made.bias = norm.weight, norm.bias
    for name, buffer in norm._buffers.items():
        made._buffers[name] = buffer
    made.training = norm.training
    return made
