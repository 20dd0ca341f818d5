"""Strategy ``alfamix``: where a small step towards a class's mean changes the prediction, spread by k-means.

Source: Parvaneh et al., "Active Learning by Feature Mixing", CVPR 2022, https://arxiv.org/abs/2203.07034.
For each class mean z* of the labelled vectors, each candidate z moves to z + alpha (z* - z), per dimension,
with the closed form alpha = e |d| g / |g| / d for d = z* - z and g the gradient of the loss for the
predicted class, cut to [0, e]. Candidates are those whose class changes for any z*; e grows from 1/32 until
there are k, as in the authors' code. k-means in k groups, the candidate nearest to each centre.

Differs: alpha is cut at 0 from below, so that a step is never away from the mean; and where even e = 1
gives fewer than k, the smallest margins fill up (the authors draw at random).

It needs the classifier itself, so one is always fitted on the labels. Shapes: P candidates, C classes, D
dimensions.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.head import Head, fitted_bytes, known_labels, pool_head, predicted, steady
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled, measured
from sslcore.selection.scorers.probabilities import margin
from sslcore.selection.strategies import kmeans

__all__ = ["STRATEGY", "changed", "pick"]

STEP = 1 / 32


def pick(pool: Pool, k: int, *, seed: int) -> Picks:
    """Pick the samples nearest to the centres of ``k`` groups of those whose class a small mixture changes.

    Args:
        pool: With labels.
        k: How many.
        seed: Seed of k-means.

    Returns:
        Picks with the columns ``mixing_classes`` (class means that change the prediction) and
        ``cluster_size``. With one class known so far, those of ``kmeans``.
    """
    if len(np.unique(known_labels(pool)[1])) < 2:
        return kmeans.pick(pool, k, seed=seed)  # a classifier with one class has nothing to change
    x = Scaled(pool)
    head, at = pool_head(pool, x), pool.candidates
    rows, labels = known_labels(pool)
    anchors = np.stack([x[rows[labels == each]].mean(axis=0) for each in head.classes])
    changes_P = np.empty(len(at), np.int64)
    for step in range(1, round(1 / STEP) + 1):
        for part, x_nD in x.blocks(at, num_classes=len(anchors)):
            changes_P[part] = changed(x_nD, head, anchors, step * STEP)
        if (changes_P > 0).sum() > k:
            break
    close_P = steady(measured(margin, predicted(x, [head])[0])[at])
    order = np.lexsort((at, -close_P, -(changes_P > 0).astype(np.int64)))
    wanted = max(int((changes_P > 0).sum()), k)
    none = np.empty(0, np.int64)
    picks = kmeans.pick(replace(pool, candidates=np.sort(at[order[:wanted]]), labelled=none), k, seed=seed)
    counts = changes_P[np.searchsorted(at, picks.indices)]
    sizes = picks.columns["cluster_size"]
    reasons = tuple(
        f"{count} of {len(anchors)} class means change its class when mixed in (step {step * STEP:.2f}); "
        f"it stands for a group of {max(int(size), 1)} such samples"
        for count, size in zip(counts, sizes, strict=True)
    )
    return Picks(picks.indices, reasons, {"mixing_classes": counts, "cluster_size": sizes})


def changed(
    x_PD: NDArray[np.float64], head: Head, anchors_CD: NDArray[np.float64], reach: float
) -> NDArray[np.int64]:
    """Return how many anchors change the class of each vector, mixed in by at most ``reach`` [P]."""
    p_PC = head.probs(x_PD)
    own_P = steady(p_PC).argmax(axis=1)
    p_PC[np.arange(len(x_PD)), own_P] -= 1
    gradient_PD = p_PC @ head.weight_CD
    gradient_PD /= np.maximum(np.linalg.norm(gradient_PD, axis=1, keepdims=True), 1e-12)
    changes_P = np.zeros(len(x_PD), np.int64)
    for anchor in anchors_CD:
        way_PD = anchor - x_PD
        length_P1 = np.linalg.norm(way_PD, axis=1, keepdims=True)
        safe_PD = np.where(np.abs(way_PD) < 1e-12, 1e-12, way_PD)
        alpha_PD = np.clip(reach * length_P1 * gradient_PD / safe_PD, 0, reach)
        changes_P += steady(head.probs(x_PD + alpha_PD * way_PD)).argmax(axis=1) != own_P
    return changes_P


STRATEGY = Strategy(
    about="predictions that a mixture with a class mean changes, spread by k-means"
    " (Parvaneh et al. 2022, arxiv.org/abs/2203.07034)",
    pick=pick,
    needs=frozenset({"labels"}),
    estimate=lambda pool, k: fitted_bytes(pool) + kmeans.STRATEGY.estimate(pool, k),
)
