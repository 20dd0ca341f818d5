"""Turn a teacher's logits into targets: less their moving mean, sharpened.

Source: Caron et al. 2021 (DINO), https://arxiv.org/abs/2104.14294, equation 4 and algorithm 1.
"""

import torch
from torch import Tensor, nn

from sslcore.distributed import sum_over_ranks
from sslcore.errors import ConfigError

__all__ = ["Centring"]


class Centring(nn.Module):
    """Softmax of logits less a centre, which is the moving average of their mean over all processes.

    Args:
        dim: Width K of the logits.
        momentum: Of the moving average, in 0..1.

    Attributes:
        centre: fp32 [K], a buffer.

    Raises:
        ConfigError: If the momentum is not in 0..1.
    """

    centre: Tensor

    def __init__(self, dim: int, *, momentum: float = 0.9) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ConfigError(f"centre_momentum must be in 0..1, got {momentum}")
        self.momentum = momentum
        self.register_buffer("centre", torch.zeros(dim))

    @torch.no_grad()
    def forward(self, logits_NK: Tensor, *, temperature: float) -> Tensor:
        """Return targets, and in training move the centre afterwards.

        Args:
            logits_NK: Of the teacher, [N, K]; processes may differ in N, which may be 0.
            temperature: Divides what is left of the logits; > 0.

        Returns:
            fp32 [N, K], rows summing to 1, without gradient.
        """
        logits = logits_NK.float()
        targets = ((logits - self.centre) / temperature).softmax(dim=1)
        if self.training:
            total = sum_over_ranks(torch.cat((logits.sum(dim=0), logits.new_full((1,), len(logits)))))
            moved = (1 - self.momentum) * (total[-1:] > 0)  # Without rows it stays.
            self.centre.lerp_(total[:-1] / total[-1].clamp(min=1), moved.expand_as(self.centre))
        return targets
