"""Losses run in fp32 inside autocast, whatever they are given."""

import torch
from torch import Tensor

from sslcore.losses.precision import in_fp32


def test_tensors_in_any_place_become_fp32_and_products_stay_exact() -> None:
    @in_fp32
    def product(a: Tensor, others: list[Tensor], *, weight: Tensor, labels: Tensor) -> Tensor:
        assert labels.dtype == torch.int64
        return (a @ others[0]) * weight

    a, b = torch.randn(3, 3).bfloat16(), torch.randn(3, 3).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = product(a, [b], weight=torch.ones(3, 3).bfloat16(), labels=torch.zeros(1, dtype=torch.int64))
    assert found.dtype == torch.float32
    assert torch.equal(found, a.float() @ b.float())
