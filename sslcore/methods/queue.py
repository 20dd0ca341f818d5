"""Features of the last batches, kept as negatives, neighbours or further samples.

Source: He et al. 2019, https://arxiv.org/abs/1911.05722, section 3.2. Its content and place are buffers that
`state_dict` holds: a run that goes on after an interruption goes on with the same queue.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sslcore.distributed import gather

__all__ = ["FeatureQueue"]


class FeatureQueue(nn.Module):
    """A ring of feature vectors, the same in all processes. Starts as random unit vectors, as MoCo's does.

    Args:
        size: How many vectors.
        dim: Their width.
    """

    features: Tensor
    position: Tensor
    num_pushed: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("features", functional.normalize(torch.randn(size, dim), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("num_pushed", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, features: Tensor) -> None:
        """Overwrite the oldest vectors with the [N, dim] of each process, rank after rank.

        Of more vectors than the queue is long, the last stay.
        """
        new = gather(features.detach().float())[-self.size :]
        places = (self.position + torch.arange(len(new), device=new.device)) % self.size
        self.features.index_copy_(0, places, new)
        self.position.copy_((self.position + len(new)) % self.size)
        self.num_pushed.add_(len(new))

    @property
    def is_full(self) -> bool:
        """Whether none of the vectors it began with is left."""
        return int(self.num_pushed) >= self.size
