"""How well groups found without labels agree with the labels.

Shapes: N samples, G groups, C classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True)
class Agreement:
    """Three measures; 1 is perfect in each.

    Attributes:
        nmi: Normalized mutual information, 0 to 1, by the arithmetic mean of the entropies (Strehl and Ghosh
            2002).
        ari: Adjusted Rand index (Hubert and Arabie 1985); 0 on average by chance.
        purity: Share of samples whose class is the most common one of their group; grows with G.
    """

    nmi: float
    ari: float
    purity: float


def agreement(groups: NDArray[np.int64], classes: NDArray[np.int64]) -> Agreement:
    """Compare two partitions of the same samples.

    Args:
        groups: Group of each of at least one sample, >= 0 [N].
        classes: Class of each, >= 0 [N].

    Raises:
        ValueError: If there is no sample or the lengths differ.
    """
    if groups.shape != classes.shape or groups.ndim != 1 or len(groups) == 0:
        raise ValueError(
            f"need a group and a class for each of at least one sample, got {list(groups.shape)} and "
            f"{list(classes.shape)}"
        )
    counts_GC = np.zeros((int(groups.max()) + 1, int(classes.max()) + 1), np.int64)
    np.add.at(counts_GC, (groups, classes), 1)
    return Agreement(
        nmi=_nmi(counts_GC / len(groups)),
        ari=_ari(counts_GC),
        purity=float(counts_GC.max(axis=1).sum() / len(groups)),
    )


def _nmi(shares_GC: NDArray[np.float64]) -> float:
    of_group, of_class = shares_GC.sum(axis=1), shares_GC.sum(axis=0)
    both = _entropy(shares_GC.ravel())
    entropies = _entropy(of_group), _entropy(of_class)
    if sum(entropies) == 0:
        return 1.0  # one group, one class: the same partition
    return float(max(0.0, 2 * (sum(entropies) - both) / sum(entropies)))


def _entropy(shares: NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def _ari(counts_GC: NDArray[np.int64]) -> float:
    def pairs(counts: NDArray[np.int64]) -> float:
        return float((counts.astype(np.float64) * (counts - 1) / 2).sum())

    both, total = pairs(counts_GC), pairs(np.array([counts_GC.sum()]))
    of_groups, of_classes = pairs(counts_GC.sum(axis=1)), pairs(counts_GC.sum(axis=0))
    expected = of_groups * of_classes / total if total else 0.0
    most = (of_groups + of_classes) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)
