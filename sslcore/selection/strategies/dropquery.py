"""Strategy ``dropquery``: where the prediction does not survive dropout of the features, spread by k-means.

Source: Gupte et al., "Revisiting Active Learning in the Era of Vision Foundation Models", TMLR 2024,
https://arxiv.org/abs/2401.14555: three dropout passes over the features with p = 0.75; candidates are those
whose class changes in most of them; k-means in k groups, the candidate nearest to each centre. Where there
are too few (fewer than 25 a pick, as in their code), those with fewer changes, then with smaller margins,
follow.

It needs the classifier itself, so one is always fitted on the labels. Shapes: N vectors, D dimensions.
"""

from dataclasses import replace

import numpy as np

from sslcore.selection.head import fitted_bytes, known_labels, pool_head, predicted, steady
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled, measured
from sslcore.selection.scorers.probabilities import margin
from sslcore.selection.strategies import kmeans

__all__ = ["STRATEGY", "pick"]

PASSES = 3
DROPPED = 0.75
CANDIDATES_PER_PICK = 25


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick the samples nearest to the centres of ``k`` groups of those whose class changes under dropout.

    Args:
        pool: With labels.
        k: How many.
        seed: Seed of the dropped features and of k-means.

    Returns:
        Picks with the columns ``changes`` (of `PASSES` passes) and ``cluster_size``. With one class known so
        far, those of ``kmeans``.
    """
    if len(np.unique(known_labels(pool)[1])) < 2:
        return kmeans.pick(pool, k, seed=seed)  # a classifier with one class has nothing to change
    x = Scaled(pool)
    head, rng = pool_head(pool, x), np.random.default_rng(seed)
    own_N = np.empty(len(pool), np.int64)
    for part, x_nD in x.blocks(num_classes=len(head.classes)):
        own_N[part] = steady(head.logits(x_nD)).argmax(axis=1)
    changes_N = np.zeros(len(pool), np.int64)
    for _ in range(PASSES):
        for part, x_nD in x.blocks(num_classes=len(head.classes)):
            kept_nD = rng.random(x_nD.shape, dtype=np.float32) >= DROPPED
            changed_n = steady(head.logits(x_nD * kept_nD / (1 - DROPPED))).argmax(axis=1) != own_N[part]
            changes_N[part] += changed_n
    at = pool.candidates
    close_N = steady(measured(margin, predicted(x, [head])[0]))
    order = at[np.lexsort((at, -close_N[at], -changes_N[at]))]
    wanted = max(int((changes_N[at] > PASSES // 2).sum()), min(CANDIDATES_PER_PICK * k, len(at)))
    none = np.empty(0, np.int64)
    picks = kmeans.pick(replace(pool, candidates=np.sort(order[:wanted]), labelled=none), k, seed=seed)
    sizes = picks.columns["cluster_size"]
    reasons = tuple(
        f"{changes_N[position]} of {PASSES} dropout passes change its class; "
        f"it stands for a group of {max(int(size), 1)} such samples"
        for position, size in zip(picks.indices, sizes, strict=True)
    )
    return Picks(picks.indices, reasons, {"changes": changes_N[picks.indices], "cluster_size": sizes})


STRATEGY = Strategy(
    about="predictions that dropout of features changes, spread by k-means"
    " (Gupte et al. 2024, arxiv.org/abs/2401.14555)",
    pick=pick,
    needs=frozenset({"labels"}),
    estimate=lambda pool, k: fitted_bytes(pool) + kmeans.STRATEGY.estimate(pool, k),
)
