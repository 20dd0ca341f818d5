"""Negative cosine similarity by hand."""

import math

import pytest
import torch

from sslcore.losses import negative_cosine


def test_it_is_minus_the_mean_cosine() -> None:
    predictions = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    targets = torch.tensor([[10.0, 0.0], [1.0, 1.0]])
    expected = -(3 / 5 + 1 / math.sqrt(2)) / 2
    assert negative_cosine(predictions, targets).item() == pytest.approx(expected, rel=1e-6)


def test_no_gradient_flows_into_the_targets() -> None:
    predictions, targets = torch.randn(3, 4).requires_grad_(), torch.randn(3, 4).requires_grad_()
    negative_cosine(predictions, targets).backward()  # type: ignore[no-untyped-call]
    assert targets.grad is None
    assert predictions.grad is not None
