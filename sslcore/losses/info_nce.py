"""InfoNCE: a query's key among other keys.

Source: van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; with a queue of negatives as in MoCo (He
et al. 2019, https://arxiv.org/abs/1911.05722, equation 1), among the keys of the batch as in MoCo v3 (Chen
et al. 2021, https://arxiv.org/abs/2104.02057, algorithm 1) and NNCLR (https://arxiv.org/abs/2104.14548,
equation 3).
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.distributed import gather, rank
from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["info_nce"]


@in_fp32
def info_nce(
    queries: Tensor, keys: Tensor, *, temperature: float = 0.2, negatives: Tensor | None = None
) -> Tensor:
    """Return the mean loss over the queries, in fp32.

    Args:
        queries: [N, D], any length.
        keys: [N, D], row for row those that belong to the queries, any length.
        temperature: Divides the cosine similarities; > 0.
        negatives: Other keys [K, D], any length. None takes the keys of the other queries, of all processes.

    Returns:
        A scalar.

    Raises:
        ConfigError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    queries, keys = functional.normalize(queries, dim=1), functional.normalize(keys, dim=1)
    if negatives is None:
        right = rank() * len(queries) + torch.arange(len(queries), device=queries.device)
        return functional.cross_entropy(queries @ gather(keys).T / temperature, right)
    positive = (queries * keys).sum(dim=1, keepdim=True)
    similarities = torch.cat((positive, queries @ functional.normalize(negatives, dim=1).T), dim=1)
    first = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    return functional.cross_entropy(similarities / temperature, first)
