"""Strategy ``bait``: samples that leave the classifier's weights least uncertain, over the whole pool.

Source: Ash et al., "Gone Fishing: Neural Active Learning with Fisher Embeddings", NeurIPS 2021,
https://arxiv.org/abs/2106.09675. The Fisher information of a sample about the weights of multinomial
logistic regression is (diag p - p p') x x x', CD x CD. With F that of all samples and M = penalty I + that of
what is labelled and picked, pick what lowers trace(M^-1 F) most, until there are 2 k; then give back the k
that raise it least. M starts from the head's own penalty; the paper starts from the unit matrix.

Where CD is more than `LARGEST`, in the binary form of Huseljic et al., "Fast Fishing: Approximating BAIT for
Efficient and Scalable Deep Active Image Classification", 2024, https://arxiv.org/abs/2404.08981: each sample
is the question whether its first class is right, with p (1 - p) in place of diag p - p p', so C is 1.

Of a large pool, as many candidates are drawn as `NUMBERS` allows. O(k P D C^2) time. Shapes: N vectors, P
candidates, D dimensions, C classes (or 1).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.covering import drawn
from sslcore.selection.fisher import Design, factors, information
from sslcore.selection.head import PENALTY, head_bytes, pool_head, predicted, predictions
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled

__all__ = ["STRATEGY", "pick"]

# Sides of the largest matrix: 134 MB each.
LARGEST = 4096
# Numbers per D x C^2 and candidate, of all of them.
NUMBERS = 2_000_000_000


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick ``k`` candidates forward and back.

    Args:
        pool: With probs, or labels of two classes at least, on which a head is fitted.
        k: How many.
        seed: Seed of the candidates drawn from a large pool.

    Returns:
        Picks in the order in which they were added, with the column ``information``: by how much the trace
        fell when the pick was added.

    Raises:
        UserError: If there are neither probs nor labels.
    """
    x = Scaled(pool)
    p_NC = predictions(pool) if pool.probs is not None else predicted(x, [pool_head(pool, x)])[0]
    dim, num_classes = pool.vectors.dim, p_NC.shape[1]
    build = factors if _is_whole(dim, num_classes) else _binary_factors
    size = num_classes if _is_whole(dim, num_classes) else 1
    most = max(2 * k, NUMBERS // (dim * size**2))
    pool = replace(pool, candidates=drawn(pool.candidates, most, np.random.default_rng(seed)))
    start, whole = np.zeros((2, size * dim, size * dim))
    for part, x_nD in x.blocks(pool.labelled, num_classes=size**2):
        start += information(x_nD, build(p_NC[pool.labelled[part]]))
    start[np.diag_indices(len(start))] += PENALTY
    for part, x_nD in x.blocks(num_classes=size**2):
        whole += information(x_nD, build(p_NC[part]))
    at = pool.candidates
    design = Design(x[at], build(p_NC[at]), start, whole)
    chosen, gains = _forward(design, min(2 * k, len(at)))
    _backward(design, chosen, k)
    falls = np.array([gains[place] for place in chosen])
    reasons = tuple(
        f"its label lowers the classifier's uncertainty over the pool by {fall:.3g}, given those before"
        for fall in falls
    )
    return Picks(at[chosen], reasons, {"information": falls}, gains=falls)


def _binary_factors(p_nC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return b with b^2 = p (1 - p) for the probability of the first class, [n, 1, 1]."""
    first_n = p_nC.max(axis=1)
    return np.asarray(np.sqrt(first_n * (1 - first_n))[:, None, None])


def _is_whole(dim: int, num_classes: int) -> bool:
    return dim * num_classes <= LARGEST


def _forward(design: Design, count: int) -> tuple[list[int], dict[int, float]]:
    chosen: list[int] = []
    gains: dict[int, float] = {}
    everyone = np.arange(len(design))
    taken_P = np.zeros(len(design), bool)
    for _ in range(count):
        falls = np.where(taken_P, -1.0, design.change(1, everyone))
        place = int(falls.argmax())
        chosen.append(place)
        gains[place] = float(falls[place])
        taken_P[place] = True
        design.move(place, 1)
    return chosen, gains


def _backward(design: Design, chosen: list[int], k: int) -> None:
    """Take out of ``chosen`` what matters least, until ``k`` are left; of two alike the later."""
    while len(chosen) > k:
        rises = design.change(-1, np.array(chosen))
        last = len(chosen) - 1 - int(rises[::-1].argmin())
        design.move(chosen.pop(last), -1)


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: copies of the candidates in float64, some CD x CD, and C x C of each candidate."""
    dim, classes = pool.vectors.dim, max(len(pool.classes), 2)
    if pool.probs is not None:
        classes = pool.probs.shape[-1]
    if not _is_whole(dim, classes):
        classes = 1
    num = min(len(pool.candidates), max(2 * k, NUMBERS // (dim * classes**2)))
    blocks = 8 * 1024 * classes**2 * (2 * dim + 8)
    matrices = 9 * 8 * (classes * dim) ** 2
    return head_bytes(pool) + 8 * num * (dim + 5 * classes**2 + 8) + matrices + blocks


STRATEGY = Strategy(
    about="least uncertainty of the classifier's weights over the pool, by Fisher information"
    " (Ash et al. 2021, arxiv.org/abs/2106.09675)",
    pick=pick,
    needs=frozenset({"predictions"}),
    estimate=_estimate,
)
