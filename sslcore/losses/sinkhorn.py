"""Sinkhorn-Knopp: scores become soft assignments that use all prototypes equally.

Source: Caron et al. 2020 (SwAV), https://arxiv.org/abs/2006.09882, section 3.1 and listing 1; Cuturi 2013,
https://arxiv.org/abs/1306.0895. Different here: computed on logarithms, so that no temperature overflows or
leaves a row empty.
"""

import torch
from torch import Tensor

from sslcore.distributed import max_over_ranks, sum_over_ranks
from sslcore.errors import ConfigError

__all__ = ["sinkhorn"]


@torch.no_grad()
def sinkhorn(scores_NK: Tensor, *, temperature: float = 0.05, num_iterations: int = 3) -> Tensor:
    """Assign samples to prototypes, softly and evenly.

    Args:
        scores_NK: Similarity of each sample to each prototype, [N, K]; with several processes each gives its
            own rows, of whatever number, and all rows count.
        temperature: Divides the scores (epsilon in SwAV); > 0. The lower, the harder the assignment.
        num_iterations: How often prototypes, then samples, are made to sum to the same; >= 1.

    Returns:
        fp32 [N, K], without gradient; rows sum to 1, and columns to nearly equal sums over all processes.

    Raises:
        ConfigError: If the temperature is not positive or there is no iteration.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    if num_iterations < 1:
        raise ConfigError(f"num_iterations must be >= 1, got {num_iterations}")
    log_q = scores_NK.float() / temperature
    for _ in range(num_iterations):
        log_q = log_q - _log_sum_over_samples(log_q)
        log_q = log_q.log_softmax(dim=1)
    return log_q.exp()


def _log_sum_over_samples(log_q: Tensor) -> Tensor:
    greatest = max_over_ranks(log_q.max(dim=0).values)
    return greatest + sum_over_ranks((log_q - greatest).exp().sum(dim=0)).log()
