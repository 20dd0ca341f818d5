"""Groups found without labels, against groups that are there."""

import torch

from sslcore.evaluation.clustering import clustering_agreement


def test_separate_groups_are_found_whatever_their_length() -> None:
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(60) % 3
    features = torch.eye(3, 8)[classes] + 0.05 * torch.randn(60, 8, generator=generator)
    features *= 1 + 9 * torch.rand(60, 1, generator=generator)
    found = clustering_agreement(features, classes, num_groups=3)
    assert (found.ari, found.purity) == (1.0, 1.0)


def test_noise_agrees_with_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(300, 8, generator=generator)
    found = clustering_agreement(features, torch.arange(300) % 3, num_groups=3)
    assert abs(found.ari) < 0.05
