"""A small classifier on the embeddings, for strategies that ask a model when there is none.

Multinomial logistic regression with an L2 penalty. As in Gupte et al., "Revisiting Active Learning in the
Era of Vision Foundation Models", TMLR 2024, https://arxiv.org/abs/2401.14555, a linear head on frozen
features is what active learning needs. With an L2 penalty the weights are sums of labelled vectors, so with
fewer labels than dimensions it is solved in their span, exactly, with L numbers per class in place of D.

Shapes: N vectors, L labelled, D dimensions, C classes seen, M members.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from sslcore.errors import UserError
from sslcore.selection.pool import UNKNOWN, Pool
from sslcore.selection.scaled import Scaled, block_bytes, given_blocks, slices

__all__ = [
    "Head",
    "committee",
    "enough_labels",
    "fit_head",
    "fitted_bytes",
    "head_bytes",
    "known_labels",
    "pool_head",
    "predicted",
    "predictions",
    "steady",
]

# Of |W|^2 / 2 beside the sum of the cross-entropies: 1 / C of other libraries, with C = 10.
PENALTY = 0.1
MAX_ITERATIONS = 500
NUM_MEMBERS = 10
# Figures are rounded to multiples of this before they are compared: threads add in different orders.
QUANTUM = 2.0**-24


@dataclass(frozen=True)
class Head:
    """A fitted classifier: probabilities are softmax(x W' + b)."""

    weight_CD: NDArray[np.float64]
    """Weights [C, D], for vectors as `Scaled` has them."""
    bias_C: NDArray[np.float64]
    """Biases [C]."""
    classes: NDArray[np.int64]
    """Number of each class in the pool, ascending [C]: only those seen have a place."""

    def logits(self, x_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of the classes, [N, C]."""
        scores: NDArray[np.float64] = x_ND @ self.weight_CD.T + self.bias_C
        return scores

    def probs(self, x_ND: NDArray[np.float64], *, temperature: float = 1.0) -> NDArray[np.float64]:
        """Return the class probabilities, [N, C]; a temperature above 1 makes them less sure."""
        logits = self.logits(x_ND) / temperature
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
        return shares


def steady(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round, so that what is equal but for the order of additions is equal: ties are ties."""
    rounded: NDArray[np.float64] = np.round(values / QUANTUM) * QUANTUM
    return rounded


def known_labels(pool: Pool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labelled positions whose class is known, and their classes."""
    if pool.labels is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows = pool.labelled[pool.labels[pool.labelled] != UNKNOWN]
    return rows, pool.labels[rows]


def fit_head(
    x_LD: NDArray[np.float64],
    labels_L: NDArray[np.int64],
    *,
    penalty: float = PENALTY,
    weights_L: NDArray[np.float64] | None = None,
) -> Head:
    """Fit the classifier that minimizes sum of cross-entropies + penalty / 2 |W|^2 (biases are free).

    There is one minimum, so neither the start nor the order of rows matters.

    Args:
        x_LD: Vectors, at least one.
        labels_L: Their classes, any numbers.
        penalty: Above 0.
        weights_L: Weight of each vector, above 0; None weighs all 1.
    """
    classes, target_L = np.unique(labels_L, return_inverse=True)
    weight_L = np.ones(len(x_LD)) if weights_L is None else weights_L
    with _one_thread():
        x = torch.from_numpy(np.ascontiguousarray(x_LD))
        # In the span of the vectors: x = r q' with orthonormal q, so that |W| = |W q|.
        basis, rows = torch.linalg.qr(x.T) if len(x) < x.shape[1] else (None, x.T)
        weight, bias = _minimize(
            rows.T.contiguous(), torch.from_numpy(target_L), torch.from_numpy(weight_L), len(classes), penalty
        )
        weight = weight if basis is None else weight @ basis.T
    return Head(weight.numpy(), bias.numpy(), classes)


def _minimize(
    x_LR: Tensor, target_L: Tensor, weight_L: Tensor, num_classes: int, penalty: float
) -> tuple[Tensor, Tensor]:
    weight = torch.zeros(num_classes, x_LR.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=MAX_ITERATIONS,
        history_size=20,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        entropies = cross_entropy(x_LR @ weight.T + bias, target_L, reduction="none")
        loss: Tensor = (entropies @ weight_L + 0.5 * penalty * weight.square().sum()) / len(x_LR)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves LBFGS.step untyped
    return weight.detach(), bias.detach()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Add in one order, whatever the number of threads: small differences would grow while minimizing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def pool_head(pool: Pool, x_ND: NDArray[np.float64] | Scaled) -> Head:
    """Fit the classifier on what is labelled in the pool.

    Args:
        pool: With labels of two classes at least.
        x_ND: Its vectors, scaled.

    Raises:
        UserError: If fewer than two classes are known.
    """
    rows, labels = enough_labels(pool)
    return fit_head(x_ND[rows], labels)


def enough_labels(pool: Pool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what `known_labels` does.

    Raises:
        UserError: If fewer than two classes are known.
    """
    rows, labels = known_labels(pool)
    num_classes = len(np.unique(labels))
    if num_classes < 2:
        raise UserError(
            "a classifier on the embeddings needs labels= of at least two classes among the labelled rows, "
            f"got {num_classes}; label some first (strategy 'auto' does), or give probs="
        )
    return rows, labels


def predicted(x: Scaled, heads: Sequence[Head], *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return class probabilities of all positions by heads of the same classes, rounded for ties [M, N, C].

    Args:
        x: The vectors, which are read in blocks.
        heads: At least one.
        temperature: Above 1 they are less sure.
    """
    num_classes = len(heads[0].classes)
    p_MNC = np.empty((len(heads), len(x.vectors), num_classes))
    for part, x_nD in x.blocks(num_classes=num_classes):
        for member, head in enumerate(heads):
            p_MNC[member, part] = steady(head.probs(x_nD, temperature=temperature))
    return p_MNC


def predictions(pool: Pool) -> NDArray[np.float64]:
    """Return class probabilities of all positions, rounded for ties: those given, or a fitted head's, [N, C].

    Raises:
        UserError: If none are given and fewer than two classes are known.
    """
    if pool.probs is None:
        x = Scaled(pool)
        fitted_NC: NDArray[np.float64] = predicted(x, [pool_head(pool, x)])[0]
        return fitted_NC
    p_NC = np.empty(pool.probs.shape[-2:])
    for part, p_nC in given_blocks(pool):
        p_NC[part] = steady(p_nC)
    return p_NC


def committee(pool: Pool, *, seed: int) -> NDArray[np.float64]:
    """Return class probabilities by several models, rounded for ties: given, or fitted ones', [M, N, C].

    Fitted are `NUM_MEMBERS` heads, each with weights of its own on the labelled samples (Rubin, "The
    Bayesian Bootstrap", 1981): as a bootstrap, but no class is ever left out.

    Raises:
        UserError: If those given are of one model, or none are and fewer than two classes are known.
    """
    if pool.probs is not None:
        if not pool.has("committee"):
            raise UserError("a committee needs probs= of several models, [M, N, C] with M >= 2, or labels=")
        p_MNC = np.empty(pool.probs.shape)
        for part in slices(len(pool), 4 * pool.probs.size // len(pool)):
            p_MNC[:, part] = steady(np.asarray(pool.probs[:, part], dtype=np.float64))
        return p_MNC
    rows, labels = enough_labels(pool)
    x, rng = Scaled(pool), np.random.default_rng(seed)
    x_LD = x[rows]
    weights = rng.exponential(size=(NUM_MEMBERS, len(rows)))
    return predicted(x, [fit_head(x_LD, labels, weights_L=each) for each in weights])


def head_bytes(pool: Pool, *, members: int = 0) -> int:
    """Return bytes that asking a model takes beside the pool, given probabilities or a fitted head.

    Args:
        pool: With probs, with labels, or with neither: then it is 0.
        members: Heads whose probabilities are kept, or of given models all; 0: their mean, or one head's.
    """
    if pool.probs is None:
        return fitted_bytes(pool, members=members)
    kept = max(members and len(pool.probs), 1) * int(pool.probs.shape[-1])
    return 8 * len(pool) * kept + 64 * len(pool) + block_bytes(pool)


def fitted_bytes(pool: Pool, *, members: int = 1) -> int:
    """Return what fitting heads and keeping their probabilities takes, in bytes; 0 without two classes."""
    rows, labels = known_labels(pool)
    num_classes, dim = len(np.unique(labels)), pool.vectors.dim
    if num_classes < 2:
        return 0
    # Labelled vectors, their basis and products; the last steps and gradients of the minimizer.
    fitted = 8 * len(rows) * (8 * dim + 6 * num_classes) + 500 * num_classes * min(len(rows), dim)
    return 8 * len(pool) * max(members, 1) * num_classes + fitted + 64 * len(pool) + block_bytes(pool)
