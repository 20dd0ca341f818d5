"""k-nearest-neighbour classification on frozen features, with similarity-weighted votes.

Source: Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination",
CVPR 2018, https://arxiv.org/abs/1805.01978 (section 3.4); the same rule as lightly's ``knn_predict``.
Differs: ``k`` larger than the bank means the whole bank, and ties are resolved.

Shapes: N bank samples, M queries, D dimensions, C classes, K neighbours.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslcore.errors import ConfigError

__all__ = ["knn_accuracy", "knn_predict"]

# Similarities are made for at most this many (query, bank) pairs at a time: 64 MB of float32.
PAIRS_AT_ONCE = 16_000_000


def knn_predict(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    *,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.1,
    weighted: bool = True,
) -> Tensor:
    """Predict a class per query from the labels of its nearest neighbours by cosine similarity.

    Each of the ``k`` nearest bank samples votes for its class with ``exp(similarity / temperature)``
    (Wu et al. 2018, https://arxiv.org/abs/1805.01978). Neighbours that are equally near are taken in
    the order of the bank, and equal votes go to the lowest class, so the result is determined.

    Args:
        bank: Features with known labels, [N, D]; any length, zero vectors are similar to nothing.
        bank_labels: Classes of the bank, int64 [N], each in [0, num_classes).
        queries: Features to classify, [M, D].
        num_classes: C, at least 1.
        k: Neighbours that vote, at least 1; at most the whole bank.
        temperature: Greater than 0; the smaller, the more the nearest neighbour decides.
        weighted: Whether nearer neighbours count more; else each has one vote (Cover and Hart 1967).

    Returns:
        Predicted classes, int64 [M], on the device of ``queries``.

    Raises:
        ConfigError: If ``k`` or ``temperature`` is out of range.
        ValueError: If the bank is empty, or shapes or labels do not fit together.
    """
    _check(bank, bank_labels, queries, num_classes=num_classes, k=k, temperature=temperature)
    bank_ND = normalize(bank.detach().float(), dim=1)
    queries_MD = normalize(queries.detach().float(), dim=1)
    labels_N = bank_labels.cpu()
    chunk = max(1, PAIRS_AT_ONCE // len(bank_ND))
    predicted = [
        _vote(similarity, labels_N, num_classes=num_classes, k=k, temperature=temperature, weighted=weighted)
        for similarity in (part @ bank_ND.T for part in torch.split(queries_MD, chunk))
    ]
    return torch.cat(predicted).to(queries.device)


def knn_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    *,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.1,
) -> float:
    """Return the share of queries that `knn_predict` classifies right, in [0, 1].

    Args:
        bank: Features with known labels, [N, D].
        bank_labels: Classes of the bank, int64 [N].
        queries: Features to classify, [M, D]; at least one.
        query_labels: True classes of the queries, int64 [M].
        num_classes: C.
        k: Neighbours that vote.
        temperature: Greater than 0.

    Raises:
        ConfigError: If ``k`` or ``temperature`` is out of range.
        ValueError: If there is no query, or shapes or labels do not fit together.
    """
    if len(queries) == 0 or query_labels.shape != queries.shape[:1]:
        raise ValueError(
            f"need one label for each of at least one query, got {tuple(query_labels.shape)} labels "
            f"and {len(queries)} queries"
        )
    predicted = knn_predict(bank, bank_labels, queries, num_classes=num_classes, k=k, temperature=temperature)
    return float((predicted.cpu() == query_labels.cpu()).double().mean())


def _vote(
    similarity_MN: Tensor, labels_N: Tensor, *, num_classes: int, k: int, temperature: float, weighted: bool
) -> Tensor:
    values_MK, indices_MK = _nearest(similarity_MN, min(k, similarity_MN.shape[1]))
    # On the CPU and in float64: scatter_add on a GPU adds in any order. Subtracting the largest
    # similarity scales all votes of a query alike and keeps exp from overflowing at low temperatures.
    values_MK = values_MK.cpu().double()
    weights_MK = ((values_MK - values_MK[:, :1]) / temperature).exp()
    if not weighted:
        weights_MK = torch.ones_like(weights_MK)
    votes_MC = torch.zeros(len(values_MK), num_classes, dtype=torch.float64)
    votes_MC.scatter_add_(1, labels_N[indices_MK.cpu()], weights_MK)
    return votes_MC.argmax(dim=1)  # the first of several that are equal


def _nearest(similarity_MN: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest similarities of each row and where they are, ties to the lowest index."""
    values_MK, indices_MK = similarity_MN.topk(k, dim=1)
    # topk may take any of several that tie for the last place: only those rows are sorted in full.
    tied = (similarity_MN >= values_MK[:, -1:]).sum(dim=1) > k
    if tied.any():
        ordered = similarity_MN[tied].sort(dim=1, descending=True, stable=True)
        values_MK[tied], indices_MK[tied] = ordered.values[:, :k], ordered.indices[:, :k]
    return values_MK, indices_MK


def _check(
    bank: Tensor, bank_labels: Tensor, queries: Tensor, *, num_classes: int, k: int, temperature: float
) -> None:
    if k < 1:
        raise ConfigError(f"k must be >= 1, got {k}")
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature:g}")
    if bank.ndim != 2 or queries.ndim != 2 or bank.shape[1] != queries.shape[1]:
        raise ValueError(
            f"bank and queries must be [N, D] and [M, D], got {list(bank.shape)} and {list(queries.shape)}"
        )
    if len(bank) == 0:
        raise ValueError("the bank is empty: there is nothing to compare with")
    if bank_labels.shape != bank.shape[:1]:
        raise ValueError(f"need {len(bank)} bank labels, got {list(bank_labels.shape)}")
    lowest, highest = int(bank_labels.min()), int(bank_labels.max())
    if lowest < 0 or highest >= num_classes:
        raise ValueError(f"bank labels must be in [0, {num_classes}), got {lowest} to {highest}")
