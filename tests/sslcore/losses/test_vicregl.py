"""VICRegL's local loss against loops over matches, with VICReg's own terms (tested apart)."""

import math

import pytest
import torch
from torch import Tensor

from sslcore.losses import vicregl_local
from sslcore.losses.vicreg import covariance_term, variance_term


def matches_in_loops(mine: Tensor, theirs: Tensor, count: int) -> list[list[tuple[int, int]]]:
    found = []
    for sample in range(len(mine)):
        pairs = []
        for p in range(mine.shape[1]):
            distances = [
                math.dist(mine[sample, p].tolist(), theirs[sample, q].tolist())
                for q in range(theirs.shape[1])
            ]
            pairs.append((min(distances), p, distances.index(min(distances))))
        found.append([(p, q) for _, p, q in sorted(pairs)[:count]])
    return found


def loss_of(z_a: Tensor, z_b: Tensor, matches: list[list[tuple[int, int]]]) -> float:
    """VICReg over the batch for the first match of each sample, the second, and so on; their mean."""
    count = len(matches[0])
    total = 0.0
    for rank in range(count):
        a = torch.stack([z_a[sample, each[rank][0]] for sample, each in enumerate(matches)])
        b = torch.stack([z_b[sample, each[rank][1]] for sample, each in enumerate(matches)])
        total += 25 * float((a - b).square().mean())
        total += 25 * float(variance_term(a) + variance_term(b)) / 2
        total += float(covariance_term(a) + covariance_term(b)) / 2
    return total / count


def test_it_is_the_mean_of_both_ways_by_features_plus_by_place() -> None:
    generator = torch.Generator().manual_seed(0)
    z_a, z_b = torch.randn(4, 9, 5, generator=generator), torch.randn(4, 4, 5, generator=generator)
    at_a, at_b = torch.rand(4, 9, 2, generator=generator), torch.rand(4, 4, 2, generator=generator)
    expected = sum(
        loss_of(z_a, z_b, matches_in_loops(a, b, 3)) / 2 + loss_of(z_b, z_a, matches_in_loops(b, a, 2)) / 2
        for a, b in ((z_a, z_b), (at_a, at_b))
    )
    found = vicregl_local(z_a, z_b, at_a, at_b, num_matches=(3, 2))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_same_map_twice_loses_no_invariance() -> None:
    z = torch.randn(4, 9, 5, generator=torch.Generator().manual_seed(0))
    places = torch.rand(4, 9, 2, generator=torch.Generator().manual_seed(1))
    loss = vicregl_local(z, z, places, places, num_matches=(9, 9), variance=0.0, covariance=0.0)
    assert loss.item() == 0
