"""Whether the features fall into groups that agree with the labels, without being shown them."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslcore.evaluation.agreement import Agreement, agreement

__all__ = ["clustering_agreement"]


def clustering_agreement(features: Tensor, classes: Tensor, *, num_groups: int, seed: int = 0) -> Agreement:
    """Group features of unit length by k-means and compare the groups with the classes.

    Args:
        features: Of at least one sample, [N, D], any length.
        classes: int64 [N].
        num_groups: How many groups; the number of classes, as a rule.
        seed: Of the first centres.
    """
    # Here and not above: selection's heads use this package's linear probe.
    from sslcore.selection.clusters import cluster
    from sslcore.selection.screen import Screen
    from sslcore.selection.vectors import Vectors

    unit = normalize(features.detach().float().cpu(), dim=1).numpy()
    rng = np.random.default_rng(seed)
    found = cluster(Screen(Vectors(unit)), np.arange(len(unit)), num_groups, rng=rng)
    return agreement(found.group, classes.cpu().to(torch.int64).numpy())
