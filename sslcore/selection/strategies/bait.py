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

from sslcore.selection.covering import drawn
from sslcore.selection.fisher import Design, factors, information
from sslcore.selection.head import PENALTY, pool_head, predictions, scaled, steady
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool

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
    x_ND = scaled(pool)
    p_NC = predictions(pool) if pool.probs is not None else steady(pool_head(pool, x_ND).probs(x_ND))
    if not _is_whole(x_ND.shape[1], p_NC.shape[1]):
        first_N = p_NC.max(axis=1)
        factor_NCC = np.sqrt(first_N * (1 - first_N))[:, None, None]
    else:
        factor_NCC = factors(p_NC)
    most = max(2 * k, NUMBERS // (x_ND.shape[1] * factor_NCC.shape[1] ** 2))
    pool = replace(pool, candidates=drawn(pool.candidates, most, np.random.default_rng(seed)))
    start = information(x_ND[pool.labelled], factor_NCC[pool.labelled])
    start[np.diag_indices(len(start))] += PENALTY
    at = pool.candidates
    design = Design(x_ND[at], factor_NCC[at], start, information(x_ND, factor_NCC))
    chosen, gains = _forward(design, min(2 * k, len(at)))
    _backward(design, chosen, k)
    falls = np.array([gains[place] for place in chosen])
    reasons = tuple(
        f"its label lowers the classifier's uncertainty over the pool by {fall:.3g}, given those before"
        for fall in falls
    )
    return Picks(at[chosen], reasons, {"information": falls}, gains=falls)


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
    """Return bytes: copies of the vectors in float64, some CD x CD, and C x C of each candidate."""
    dim, classes = pool.vectors.dim, max(len(pool.classes), 2)
    if pool.probs is not None:
        classes = pool.probs.shape[-1]
    if not _is_whole(dim, classes):
        classes = 1
    num = min(len(pool.candidates), max(2 * k, NUMBERS // (dim * classes**2)))
    each = 8 * classes**2
    return 24 * len(pool) * dim + each * (len(pool) + 8 * num + 8 * dim**2) + 50_000_000


STRATEGY = Strategy(
    about="least uncertainty of the classifier's weights over the pool, by Fisher information"
    " (Ash et al. 2021, arxiv.org/abs/2106.09675)",
    pick=pick,
    needs=frozenset({"predictions"}),
    estimate=_estimate,
)
